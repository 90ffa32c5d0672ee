package org.penumbra.vmx.memory;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SparseMemoryTest {
    @ParameterizedTest(name = "a page every {0} bytes: at most {1} times the touched bytes")
    @CsvSource({"4096,1.02", "65536,1.08", "4194304,1.13"})
    @DisplayName("H02 a guest of 1 TiB that touches 1 GiB, its dirty log on, costs about 1 GiB in all and next to nothing before")
    void terabyte(long distance, double most) throws Exception {
        Path java = Path.of(System.getProperty("java.home"), "bin", "java");
        String classes = System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
        // A heap that is not large enough for much more is a second judge.
        Process child = new ProcessBuilder(List.of(java.toString(), "-Xmx1250m", "-XX:+UseSerialGC", "-cp", classes,
                        SparseMemory.class.getName(), String.valueOf(distance))).redirectErrorStream(true).start();
        String said = new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        assertThat(child.waitFor()).as(said).isZero();
        String[] figures = said.split(" ");
        long empty = Long.parseLong(figures[0]);
        double factor = Double.parseDouble(figures[1]) / Double.parseDouble(figures[2]);
        System.out.printf("1 TiB machine, a page every %,d bytes: %,d bytes empty, %.3f bytes for each byte touched%n", distance, empty, factor);
        assertThat(empty).as("bytes of a machine that touched nothing").isLessThan(8 << 20);
        assertThat(factor).as("bytes for each byte touched").isBetween(1.0, most);
    }
}
