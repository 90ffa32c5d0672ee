package org.penumbra.experiments.trace;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.zip.CRC32;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;

@DisplayName("X03 trace reader, damaged compressed streams")
class DamagedStreamTest {

    /** So many that no reader or decoder holds them in one buffer. */
    private static final int LINES = 60_000;
    private static final Map<TraceCompression, byte[]> COMPRESSED = new EnumMap<>(TraceCompression.class);

    @TempDir
    Path folder;

    private TraceFormatException failure(byte[] bytes) throws IOException {
        Path file = Files.write(folder.resolve("trace"), bytes);
        TraceFormatException e = catchThrowableOfType(TraceFormatException.class, () -> TraceSummary.of(file));
        assertThat(e).as("exception").isNotNull();
        assertThat(e.getMessage()).startsWith(file.toString()).doesNotContain("\n");
        return e;
    }

    /** Scattered addresses: text that does not shrink to nothing, so that its compressed form has a middle. */
    private static String text() {
        StringBuilder text = new StringBuilder();
        SplittableRandom random = new SplittableRandom(1);
        for (int i = 0; i < LINES; i++) {
            text.append(String.format(" L %08x,8%n", random.nextLong() >>> 33));
        }
        return text.toString();
    }

    private static byte[] compressed(TraceCompression compression) throws IOException {
        if (!COMPRESSED.containsKey(compression)) {
            COMPRESSED.put(compression, TraceFiles.compress(compression, TraceFiles.ascii(text())));
        }
        return COMPRESSED.get(compression).clone();
    }

    @ParameterizedTest
    @EnumSource(mode = Mode.EXCLUDE, names = "NONE")
    @DisplayName("X03 a truncated stream is reported with its position, however much is missing")
    void truncated(TraceCompression compression) throws IOException {
        byte[] whole = compressed(compression);
        for (int length : new int[] {8, whole.length / 2, whole.length - 9, whole.length - 1}) {
            TraceFormatException e = failure(Arrays.copyOf(whole, length));

            assertThat(e.getMessage()).as("%d of %d bytes", length, whole.length).contains(
                    "the " + compression.label() + " stream, at compressed byte " + length
                            + ", ends too early: the file was cut off; copy or record it again");
            assertThat(e.line()).isBetween(1L, LINES + 1L);
        }
        // Decoders give what they have in whole blocks, so half a file has given somewhat less than half of the lines.
        assertThat(failure(Arrays.copyOf(whole, whole.length / 2)).line()).isBetween(LINES / 8L, LINES * 5L / 8);
        assertThat(failure(Arrays.copyOf(whole, whole.length - 1)).line()).isEqualTo(LINES + 1);
    }

    @ParameterizedTest
    @EnumSource(mode = Mode.EXCLUDE, names = "NONE")
    @DisplayName("X03 a changed byte in a stream is found by its checksum or structure")
    void damaged(TraceCompression compression) throws IOException {
        byte[] whole = compressed(compression);
        whole[whole.length / 2] ^= 0x10;

        assertThat(failure(whole).getMessage())
                .satisfiesAnyOf(
                        message -> assertThat(message).contains(
                                "the " + compression.label() + " stream, at compressed byte ", "is damaged ("),
                        // A deflate stream carries on with wrong text until its checksum; the text may fail first.
                        message -> assertThat(message).contains("expected "));
    }

    @ParameterizedTest
    @EnumSource(mode = Mode.EXCLUDE, names = "NONE")
    @DisplayName("X03 bytes behind the end of a stream are refused, not taken for the end")
    void trailing(TraceCompression compression) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        bytes.write(compressed(compression));
        bytes.write(TraceFiles.ascii("this does not belong here, and is longer than any header"));

        assertThat(failure(bytes.toByteArray()).getMessage())
                .contains("the " + compression.label() + " stream, at compressed byte ", "is damaged (");
    }

    @ParameterizedTest
    @EnumSource(mode = Mode.EXCLUDE, names = "NONE")
    @DisplayName("X03 an I/O error of the device below a compressed stream is no format error")
    void deviceError(TraceCompression compression) throws IOException {
        InputStream half = new ByteArrayInputStream(compressed(compression), 0, 1000);
        InputStream broken = new SequenceInputStream(half, TraceFiles.failing());

        assertThatThrownBy(() -> {
            try (TraceReader reader = TraceReader.open("broken", broken)) {
                TraceSummary.of(reader);
            }
        }).isExactlyInstanceOf(IOException.class).hasMessage("Input/output error");
    }

    @Test
    @DisplayName("X03 a gzip file whose second member is damaged does not end with the first")
    void secondMember() throws IOException {
        byte[] good = TraceFiles.compress(TraceCompression.GZIP, TraceFiles.ascii(" L 00001000,8\n"));
        byte[] bad = good.clone();
        bad[2] = 7;
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        bytes.write(good);
        bytes.write(bad);

        assertThat(failure(bytes.toByteArray()).getMessage()).contains("bytes that are no gzip");
    }

    @Test
    @DisplayName("X03 an xz stream that asks for a gigabyte of memory is refused")
    void xzMemory() throws IOException {
        // Stream header; block header with one LZMA2 filter whose dictionary code 36 means 1 GiB.
        byte[] flags = {0, 1};
        byte[] block = {2, 0, 0x21, 1, 36, 0, 0, 0};
        ByteBuffer stream = ByteBuffer.allocate(64).order(ByteOrder.LITTLE_ENDIAN);
        stream.put(new byte[] {(byte) 0xfd, '7', 'z', 'X', 'Z', 0}).put(flags).putInt(crc(flags));
        stream.put(block).putInt(crc(block));

        assertThat(failure(stream.array()).getMessage())
                .contains("asks for 10", " KiB of memory, more than the 131072 KiB allowed; compress it again");
    }

    @Test
    @DisplayName("X03 a zstd stream that asks for a window of two gigabytes is refused")
    void zstdWindow() throws IOException {
        // Magic; frame header without any option; window descriptor: exponent 21, so 2 to the power 31.
        byte[] frame = {0x28, (byte) 0xb5, 0x2f, (byte) 0xfd, 0, (byte) (21 << 3), 0, 0, 0, 0, 0, 0};

        assertThat(failure(frame).getMessage())
                .contains("the zstd stream", "asks for a window of more than 128 MiB; compress it again");
    }

    private static int crc(byte[] bytes) {
        CRC32 crc = new CRC32();
        crc.update(bytes);
        return (int) crc.getValue();
    }
}
