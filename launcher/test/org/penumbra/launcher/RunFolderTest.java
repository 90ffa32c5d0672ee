package org.penumbra.launcher;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@DisplayName("the folder of a run")
class RunFolderTest {

	private final String	before	= System.getProperty("java.io.tmpdir");

	@TempDir
	Path					temporary;

	@BeforeEach
	void useTemporary() {
		System.setProperty("java.io.tmpdir", temporary.toString());
	}

	@AfterEach
	void restore() {
		System.setProperty("java.io.tmpdir", before);
	}

	@Test
	@DisplayName("goes away with everything in it")
	void closes() throws Exception {
		try (RunFolder folder = RunFolder.create()) {
			Files.createDirectories(folder.cache()
				.resolve("bundle1/data"));
			Files.writeString(folder.cache()
				.resolve("bundle1/data/x"), "x");
		}
		assertThat(temporary).isEmptyDirectory();
	}

	@Test
	@DisplayName("that a killed run left behind is removed by the next run")
	void sweeps() throws Exception {
		Path left = Files.createDirectories(temporary.resolve("penumbra-run-left"));
		Files.writeString(left.resolve("lock"), "");
		Files.createDirectories(left.resolve("cache/bundle0"));
		try (RunFolder folder = RunFolder.create()) {
			assertThat(left).doesNotExist();
			assertThat(folder.cache()
				.getParent()).isDirectory();
		}
	}

	@Test
	@DisplayName("of another kind is left alone")
	void leavesOthers() throws Exception {
		Path other = Files.createDirectories(temporary.resolve("somebody-else"));
		RunFolder.create()
			.close();
		assertThat(other).isDirectory();
	}
}
