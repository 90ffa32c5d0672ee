package org.penumbra.experiments.trace;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@DisplayName("X03 trace reader, files that are no traces")
class TraceReaderErrorsTest {

    private static final String GOOD = "I  04001000,3\n";

    @TempDir
    Path folder;

    private static TraceFormatException failure(Path file) {
        TraceFormatException e = catchThrowableOfType(TraceFormatException.class, () -> TraceFiles.read(file));
        assertThat(e).as("exception").isNotNull();
        assertThat(e.file()).isEqualTo(file.toString());
        assertThat(e.getMessage()).doesNotContain("\n").startsWith(file + ":");
        return e;
    }

    private static TraceFormatException failure(String text) {
        TraceFormatException e = catchThrowableOfType(TraceFormatException.class, () -> TraceFiles.read(text));
        assertThat(e).as("exception").isNotNull();
        return e;
    }

    @Test
    @DisplayName("X03 a missing file is reported as missing")
    void missing() {
        Path file = folder.resolve("missing.xz");

        assertThat(failure(file)).hasMessage(file + ": there is no such file; give an existing trace");
    }

    @Test
    @DisplayName("X03 a directory is reported as a directory")
    void directory() {
        assertThat(failure(folder)).hasMessage(folder + ": is a directory; give a trace file in it");
    }

    @Test
    @DisplayName("X03 an empty file is reported as empty")
    void empty() throws IOException {
        Path file = TraceFiles.write(folder, "empty", "");

        assertThat(failure(file)).hasMessage(file + ": is empty; a trace has at least one record");
    }

    @ParameterizedTest
    @CsvSource({"NONE", "GZIP", "XZ", "ZSTD"})
    @DisplayName("X03 a trace without any record is reported, compressed or not")
    void noRecord(TraceCompression compression) throws IOException {
        Path file = folder.resolve("none");
        Files.write(file, TraceFiles.compress(compression, TraceFiles.ascii("==1== Lackey\n# nothing\n")));

        assertThat(failure(file)).hasMessage(
                file + ": holds no record in its 2 lines; record it with valgrind --tool=lackey --trace-mem=yes");
        assertThat(failure(file).line()).isZero();
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource(delimiter = '|', ignoreLeadingAndTrailingWhitespace = false, value = {
        "I 04001000,3|expected a record such as \"I  04001000,3\" or \" L 1ffeffe7e,8\", found \"I 04001000,3\"",
        " X 04001000,3|expected a record such as",
        "hello|found \"hello\"",
        "=4711= three|expected a record such as",
        "==pid== Lackey|expected a record such as",
        "-- a rule|expected a record such as",
        " L ,8|expected a hexadecimal address in column 4, found \" L ,8\"",
        " L 0x1000,8|expected a comma after the address in column 5",
        " L 00001000|expected a comma after the address in column 12",
        " L 00001000,|expected a size in bytes in column 13",
        " L 00001000,-8|expected a size in bytes in column 13",
        " L 00001000,8 |expected the end of the line in column 14",
        " L 00001000,8\\r|expected the end of the line in column 14, found \" L 00001000,8\\x0d\"",
        " L 00001000,0|expected a size of 1 to 4096 bytes",
        " L 00001000,4097|expected a size of 1 to 4096 bytes",
        " L 00001000,99999999999|expected a size of 1 to 4096 bytes",
        " L 800000000000,8|expected a user address below 800000000000 (hexadecimal)",
        " L ffffffffff600000,8|expected a user address below 800000000000 (hexadecimal)",
        " L 00000000000000001,8|expected a user address below 800000000000 (hexadecimal)",
        " L 7fffffffffff,2|expected an access that ends below 800000000000 (hexadecimal)"
    })
    @DisplayName("X03 the first malformed line is reported with its position and with what was expected")
    void malformed(String line, String expected) {
        String bad = line.replace("\\r", "\r");

        TraceFormatException e = failure(GOOD + "# comment\n" + GOOD + bad + "\n" + GOOD);

        assertThat(e.line()).isEqualTo(4);
        assertThat(e.getMessage()).startsWith("trace:4: ").contains(expected);
    }

    @Test
    @DisplayName("X03 the records before a malformed line are in the batch, and reading on fails again")
    void recordsBeforeTheFault() throws IOException {
        TraceBatch batch = new TraceBatch(10);
        byte[] text = TraceFiles.ascii(GOOD + GOOD + "oops\n" + GOOD);
        try (TraceReader reader = TraceReader.open("trace", new ByteArrayInputStream(text))) {
            assertThatThrownBy(() -> reader.read(batch)).hasMessageStartingWith("trace:3: ");
            assertThat(batch.count).isEqualTo(2);
            assertThat(reader.line()).isEqualTo(3);
            assertThatThrownBy(() -> reader.read(batch)).hasMessageStartingWith("trace:3: ");
            assertThat(batch.count).isZero();
        }
    }

    @Test
    @DisplayName("X03 a malformed line far into a trace is reported with the right line")
    void farIn() {
        assertThat(failure(TraceFiles.lines(123_456) + "oops\n").line()).isEqualTo(123_457);
    }

    @Test
    @DisplayName("X03 a plain trace that ends inside a record is reported, with no guess at the record")
    void unfinished() {
        assertThat(failure(GOOD + " L 1ffe"))
                .hasMessage("trace:2: expected a comma after the address in column 8, found \" L 1ffe\", where the text"
                        + " ends");
        assertThat(failure(GOOD + " L 1ffeffe7e,1"))
                .hasMessage("trace:2: the text ends inside the record \" L 1ffeffe7e,1\"; record it again, or end the line"
                        + " if it is all there");
    }

    @Test
    @DisplayName("X03 a binary file is called binary")
    void binary() throws IOException {
        Path file = TraceFiles.write(folder, "program", "\u007fELF\u0002\u0001\u0001" + "\0".repeat(100_000));

        assertThat(failure(file).getMessage())
                .startsWith(file + ":1: expected a record such as")
                .contains("found binary data \"\\x7fELF\\x02\\x01\\x01\\x00");
    }

    @Test
    @DisplayName("X03 a line of a gigabyte is refused after its first kilobytes")
    void overlong() {
        long[] given = new long[1];
        InputStream zeros = new InputStream() {
            @Override
            public int read() {
                return '0';
            }

            @Override
            public int read(byte[] bytes, int offset, int length) {
                java.util.Arrays.fill(bytes, offset, offset + length, (byte) '0');
                given[0] += length;
                return length;
            }
        };

        assertThatThrownBy(() -> {
            try (TraceReader reader = TraceReader.open("zeros", zeros)) {
                reader.read(new TraceBatch(10));
            }
        }).isInstanceOf(TraceFormatException.class)
                .hasMessageStartingWith("zeros:1: expected a record such as")
                .hasMessageContaining("found a line of more than 4096 bytes, \"000");
        assertThat(given[0]).isLessThan(1 << 20);
    }

    @Test
    @DisplayName("X03 a record line that is too long is refused, wherever it stands and however it looks")
    void overlongRecord() {
        TraceFormatException e = failure(GOOD + " L " + "0".repeat(5000) + "1000,8\n" + GOOD);

        assertThat(e).hasMessageStartingWith("trace:2: ").hasMessageContaining("a line of more than 4096 bytes");
    }

    @Test
    @DisplayName("X03 an I/O error of the device is no format error")
    void deviceError() {
        InputStream broken = TraceFiles.failing();

        assertThatThrownBy(() -> TraceReader.open("broken", broken))
                .isExactlyInstanceOf(IOException.class).hasMessage("Input/output error");
    }
}
