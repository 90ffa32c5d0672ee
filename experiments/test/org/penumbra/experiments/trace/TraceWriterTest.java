package org.penumbra.experiments.trace;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.penumbra.experiments.trace.TraceBatch.LOAD;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.penumbra.experiments.trace.TraceFiles.Access;

@DisplayName("X03 trace writer")
class TraceWriterTest {

    @TempDir
    Path folder;

    private static TraceBatch batch(List<Access> accesses) {
        TraceBatch batch = new TraceBatch(accesses.size());
        accesses.forEach(access -> batch.add(access.kind(), access.address(), access.size()));
        return batch;
    }

    private static TraceBatch one(int kind, long address, int size) {
        return batch(List.of(new Access((byte) kind, address, size)));
    }

    private List<String> files() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).toList();
        }
    }

    @Test
    @DisplayName("X03 the text is lackey's own, behind the comments")
    void text() throws IOException {
        Path file = folder.resolve("trace");
        try (TraceWriter writer = TraceWriter.create(file, List.of("first", "in two\nlines"))) {
            writer.write(one(0, 0x4001000L, 3));
            writer.write(one(1, 0x1ffeffe7eL, 8));
            writer.write(one(2, 0, 10));
            writer.write(one(3, 0x7ffffffff000L, 4096));
            assertThat(writer.records()).isEqualTo(4);
            writer.commit();
        }
        assertThat(file).hasContent("""
                # first
                # in two?lines
                I  04001000,3
                 L 1ffeffe7e,8
                 S 00000000,10
                 M 7ffffffff000,4096
                """);
    }

    @Test
    @DisplayName("X03 every size and every length of address comes back as it was written")
    void sizesAndAddresses() throws IOException {
        List<Access> accesses = new ArrayList<>();
        for (int size = 1; size <= TraceBatch.MAX_SIZE; size++) {
            accesses.add(new Access(LOAD, 0x1000, size));
        }
        for (int bit = 0; bit < 47; bit++) {
            accesses.add(new Access(LOAD, 1L << bit, 1));
            accesses.add(new Access(LOAD, (1L << bit) - 1, 1));
        }
        Path file = folder.resolve("trace");
        try (TraceWriter writer = TraceWriter.create(file, List.of())) {
            writer.write(batch(accesses));
            writer.commit();
        }

        assertThat(TraceFiles.read(file)).isEqualTo(accesses);
    }

    @Test
    @DisplayName("X03 the same records give the same bytes in each compression")
    void reproducible() throws IOException {
        for (String ending : List.of("", ".gz", ".xz", ".zst")) {
            Path first = folder.resolve("first" + ending);
            Path second = folder.resolve("second" + ending);
            for (Path file : List.of(first, second)) {
                try (TraceWriter writer = TraceWriter.create(file, List.of("same"))) {
                    for (int i = 0; i < 20_000; i++) {
                        writer.write(one(i & 3, 0x1000 + i * 4099L, 8));
                    }
                    writer.commit();
                }
            }
            assertThat(first).hasSameBinaryContentAs(second);
        }
    }

    @Test
    @DisplayName("X03 a trace appears complete under its name, over an older one, and leaves no other file")
    void commit() throws IOException {
        Path file = TraceFiles.write(folder, "trace.zst", "older");
        try (TraceWriter writer = TraceWriter.create(file, List.of())) {
            writer.write(one(LOAD, 0x1000, 8));
            assertThat(file).hasContent("older");
            writer.commit();
        }
        assertThat(TraceFiles.read(file)).containsExactly(new Access(LOAD, 0x1000, 8));
        assertThat(files()).containsExactly("trace.zst");
    }

    @Test
    @DisplayName("X03 a trace that is given up leaves the older one and no other file")
    void giveUp() throws IOException {
        Path file = TraceFiles.write(folder, "trace.xz", "older");
        TraceWriter writer = TraceWriter.create(file, List.of());
        writer.write(one(LOAD, 0x1000, 8));
        writer.close();

        assertThat(file).hasContent("older");
        assertThat(files()).containsExactly("trace.xz");
        assertThatThrownBy(() -> writer.write(one(LOAD, 0x1000, 8))).hasMessage("the trace writer is closed");
        assertThatThrownBy(writer::commit).hasMessage("the trace writer is closed");
    }

    @Test
    @DisplayName("X03 a record that no reader would take is refused")
    void refused() throws IOException {
        try (TraceWriter writer = TraceWriter.create(folder.resolve("trace"), List.of())) {
            for (TraceBatch bad : List.of(one(4, 0, 1), one(-1, 0, 1), one(0, -1, 1), one(0, 1L << 47, 1),
                    one(0, (1L << 47) - 1, 2), one(0, 0, 0), one(0, 0, 4097))) {
                assertThatThrownBy(() -> writer.write(bad)).isInstanceOf(IllegalArgumentException.class)
                        .hasMessageStartingWith("no record of a trace: kind ");
            }
            assertThat(writer.records()).isZero();
        }
    }

    @Test
    @DisplayName("X03 a target that cannot be written is reported before anything is written")
    void targets() throws IOException {
        assertThatThrownBy(() -> TraceWriter.create(folder, List.of()))
                .hasMessage(folder + ": is a directory; name the file to write in it");
        assertThatThrownBy(() -> TraceWriter.create(folder.resolve("no/trace"), List.of()))
                .hasMessage(folder.resolve("no") + ": there is no such folder to write the trace to; make it first");
        assertThatThrownBy(() -> TraceWriter.create(Path.of("/dev/null"), List.of()))
                .hasMessage("/dev/null: is not a regular file, and a trace would take its place; name another");
        assertThat(files()).isEmpty();
    }
}
