package org.penumbra.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** What is made from something else fits it. */
class UpToDateTest {
    private static final Path KERNELS = Path.of("kernels");

    @Test
    @DisplayName("G02 the images of the test kernels are made from the sources that stand beside them")
    void kernels() throws IOException, NoSuchAlgorithmException {
        List<String> sums = Files.readAllLines(KERNELS.resolve("SHA256SUMS"));
        assertThat(sums).isNotEmpty();
        for (String line : sums) {
            String[] words = line.split("\\s+");
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(KERNELS.resolve(words[1])));
            assertThat(HexFormat.of().formatHex(digest)).as(words[1] + " has changed: run kernels/build").isEqualTo(words[0]);
        }
        try (var sources = Files.list(KERNELS)) {
            assertThat(sources.map(p -> p.getFileName().toString()).filter(n -> n.endsWith(".S") || n.endsWith(".elf")))
                    .allMatch(n -> sums.stream().anyMatch(s -> s.endsWith(" " + n)));
        }
    }

    @Test
    @DisplayName("G01 docs/instructions.md says what the table has")
    void page() throws IOException {
        assertThat(Files.readString(Path.of("../docs/instructions.md"))).isEqualTo(InstructionPage.text());
    }
}
