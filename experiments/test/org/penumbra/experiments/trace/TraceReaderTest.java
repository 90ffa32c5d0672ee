package org.penumbra.experiments.trace;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.penumbra.experiments.trace.TraceBatch.FETCH;
import static org.penumbra.experiments.trace.TraceBatch.LOAD;
import static org.penumbra.experiments.trace.TraceBatch.MODIFY;
import static org.penumbra.experiments.trace.TraceBatch.STORE;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.penumbra.experiments.trace.TraceFiles.Access;

@DisplayName("X03 trace reader")
class TraceReaderTest {

    private static final String SAMPLE = """
            ==4711== Lackey, an example Valgrind tool
            # a comment
            --4711-- a message
            I  04001000,3
             L 1ffeffe7e,8

             S 1ffeffe80,16
            **4711** said by the program
             M 0421e040,4
            vex amd64->IR: unhandled instruction bytes: 0x62
            I  7ffffffff000,4096
            ==4711== Exit code:       0
            """;
    private static final List<Access> SAMPLE_ACCESSES = List.of(
            new Access(FETCH, 0x04001000L, 3),
            new Access(LOAD, 0x1ffeffe7eL, 8),
            new Access(STORE, 0x1ffeffe80L, 16),
            new Access(MODIFY, 0x0421e040L, 4),
            new Access(FETCH, 0x7ffffffff000L, 4096));

    @TempDir
    Path folder;

    @Test
    @DisplayName("X03 every kind of record is read, and comments, empty lines and Valgrind's own lines are passed over")
    void kinds() throws IOException {
        assertThat(TraceFiles.read(SAMPLE)).isEqualTo(SAMPLE_ACCESSES);
    }

    @ParameterizedTest
    @EnumSource(TraceCompression.class)
    @DisplayName("X03 the compression is found by the file's first bytes, whatever its name says")
    void compression(TraceCompression compression) throws IOException {
        for (String name : List.of("a.txt", "a.gz", "a.xz", "a.zst")) {
            Path file = folder.resolve(compression + name);
            Files.write(file, TraceFiles.compress(compression, TraceFiles.ascii(SAMPLE)));
            assertThat(TraceFiles.read(file)).as(name).isEqualTo(SAMPLE_ACCESSES);
        }
    }

    @ParameterizedTest
    @EnumSource(TraceCompression.class)
    @DisplayName("X03 compressed pieces one after the other are read as one trace")
    void pieces(TraceCompression compression) throws IOException {
        ByteArrayOutputStream both = new ByteArrayOutputStream();
        both.write(TraceFiles.compress(compression, TraceFiles.ascii(" L 00001000,8\n")));
        both.write(TraceFiles.compress(compression, TraceFiles.ascii(" S 00002000,8\n")));

        assertThat(TraceFiles.read(both.toByteArray()))
                .containsExactly(new Access(LOAD, 0x1000, 8), new Access(STORE, 0x2000, 8));
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 7, 4096})
    @DisplayName("X03 batches of any size give the same records and the same line count")
    void batches(int capacity) throws IOException {
        String text = TraceFiles.lines(50_000);
        try (TraceReader reader = TraceReader.open("trace", new ByteArrayInputStream(TraceFiles.ascii(text)))) {
            List<Access> accesses = TraceFiles.read(reader, capacity);

            assertThat(accesses).hasSize(50_000);
            for (int i = 0; i < accesses.size(); i++) {
                assertThat(accesses.get(i)).isEqualTo(new Access(LOAD, 0x1000 + i * 4099L, 8));
            }
            assertThat(reader.records()).isEqualTo(50_000);
            assertThat(reader.line()).isEqualTo(50_000);
        }
    }

    @Test
    @DisplayName("X03 a source that gives a byte at a time gives the same records")
    void drip() throws IOException {
        InputStream drip = new ByteArrayInputStream(TraceFiles.ascii(SAMPLE)) {
            @Override
            public synchronized int read(byte[] bytes, int offset, int length) {
                return super.read(bytes, offset, Math.min(length, 1));
            }
        };
        try (TraceReader reader = TraceReader.open("drip", drip)) {
            assertThat(TraceFiles.read(reader, 2)).isEqualTo(SAMPLE_ACCESSES);
        }
    }

    @Test
    @DisplayName("X03 only the last batch may be short, and the end of the trace stays the end")
    void fullBatches() throws IOException {
        TraceBatch batch = new TraceBatch(20_000);
        byte[] text = TraceFiles.ascii(TraceFiles.lines(50_000));
        try (TraceReader reader = TraceReader.open("trace", new ByteArrayInputStream(text))) {
            assertThat(reader.read(batch)).isEqualTo(20_000);
            assertThat(reader.read(batch)).isEqualTo(20_000);
            assertThat(reader.read(batch)).isEqualTo(10_000).isEqualTo(batch.count);
            assertThat(reader.read(batch)).isZero();
            assertThat(reader.read(batch)).isZero();
            assertThat(batch.count).isZero();
        }
    }

    @Test
    @DisplayName("X03 a comment longer than any buffer is passed over")
    void longComment() throws IOException {
        String comment = "# " + "long ".repeat(200_000);

        assertThat(TraceFiles.read(comment + "\n L 00001000,8\n" + comment))
                .containsExactly(new Access(LOAD, 0x1000, 8));
    }

    @Test
    @DisplayName("X03 a trace is read with memory that does not grow with its length")
    void boundedMemory() throws IOException {
        byte[] piece = TraceFiles.ascii(TraceFiles.lines(4_000));
        long total = 4_000L * 5_000;
        InputStream endless = new InputStream() {
            private long left = (long) piece.length * 5_000;
            private int at;

            @Override
            public int read() {
                throw new AssertionError("a byte at a time is no way to read a trace");
            }

            @Override
            public int read(byte[] bytes, int offset, int length) {
                if (left == 0) {
                    return -1;
                }
                int n = (int) Math.min(left, Math.min(length, piece.length - at));
                System.arraycopy(piece, at, bytes, offset, n);
                at = (at + n) % piece.length;
                left -= n;
                return n;
            }
        };
        TraceBatch batch = new TraceBatch(4096);
        try (TraceReader reader = TraceReader.open("endless", endless)) {
            long before = allocated();
            while (reader.read(batch) > 0) {
                assertThat(batch.size[0]).isEqualTo(8);
            }
            assertThat(reader.records()).isEqualTo(total);
            // 280 MB of text went by. The assertion above allocates a little for each of the 5000 batches.
            assertThat(allocated() - before).isLessThan(16 << 20);
        }
    }

    private static long allocated() {
        return ((com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean()).getCurrentThreadAllocatedBytes();
    }

    @Test
    @DisplayName("X03 the stream is closed with its reader, and a closed reader says so")
    void closes() throws IOException {
        boolean[] closed = new boolean[1];
        InputStream in = new ByteArrayInputStream(TraceFiles.ascii(SAMPLE)) {
            @Override
            public void close() {
                closed[0] = true;
            }
        };
        TraceReader reader = TraceReader.open("trace", in);
        assertThat(closed[0]).isFalse();
        reader.close();
        reader.close();

        assertThat(closed[0]).isTrue();
        assertThatThrownBy(() -> reader.read(new TraceBatch(1))).isInstanceOf(IOException.class)
                .hasMessage("the trace reader is closed");
    }
}
