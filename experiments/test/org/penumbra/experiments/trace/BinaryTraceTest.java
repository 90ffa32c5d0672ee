package org.penumbra.experiments.trace;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.SequenceInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.penumbra.experiments.trace.TraceFiles.Access;

/** The bytes of {@link BinaryForm} are written out by hand here, and its checksums taken from {@link BinaryEncoder#checksum}. */
@DisplayName("X03 Penumbra's binary form")
class BinaryTraceTest {
    private static final Access FETCH = new Access(TraceBatch.FETCH, 0x40_1000, 3);

    @TempDir
    Path folder;

    private Path write(String name, List<Access> accesses, String... comments) throws IOException {
        Path file = folder.resolve(name);
        TraceBatch batch = new TraceBatch(Math.max(1, accesses.size()));
        accesses.forEach(a -> batch.add(a.kind(), a.address(), a.size()));
        try (TraceWriter writer = TraceWriter.create(file, List.of(comments))) {
            writer.write(batch);
            writer.commit();
        }
        return file;
    }

    /** So many records at scattered addresses that no block holds them. */
    private static List<Access> many() {
        SplittableRandom random = new SplittableRandom(1);
        List<Access> all = new ArrayList<>();
        for (int i = 0; i < 60_000; i++) {
            all.add(new Access((byte) random.nextInt(4), random.nextLong(TraceBatch.ADDRESS_END - 64), 1 << random.nextInt(7)));
        }
        return all;
    }

    private static byte[] bytes(String hex) {
        return HexFormat.of().parseHex(hex.replace(" ", ""));
    }

    private static byte[] join(byte[]... parts) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            all.writeBytes(part);
        }
        return all.toByteArray();
    }

    private static byte[] int32(int value) {
        byte[] b = new byte[4];
        BinaryForm.INT32.set(b, 0, value);
        return b;
    }

    private static byte[] head() {
        byte[] head = bytes("89 50 54 52 0d 0a 1a 0a 0100 0000 00000000");
        return join(head, int32(BinaryEncoder.checksum(head, head.length)));
    }

    private static byte[] block(String records) {
        byte[] b = bytes(records);
        return join(int32(b.length), int32(BinaryEncoder.checksum(b, b.length)), b);
    }

    private static byte[] end(int records) {
        byte[] count = join(int32(records), int32(0));
        return join(int32(0), int32(BinaryEncoder.checksum(count, 8)), count);
    }

    private TraceFormatException failure(byte[] bytes) throws IOException {
        Path file = Files.write(folder.resolve("bad"), bytes);
        TraceFormatException e = catchThrowableOfType(TraceFormatException.class, () -> TraceSummary.of(file));
        assertThat(e).as("exception").isNotNull();
        assertThat(e.getMessage()).startsWith(file.toString()).doesNotContain("\n");
        return e;
    }

    @Test
    @DisplayName("X03 the bytes are those of the table: kinds, sizes that follow, deltas from the end of the last of the kind")
    void bytesOfEachRecord() throws IOException {
        List<Access> accesses = List.of(
                FETCH, new Access(TraceBatch.FETCH, 0x40_1003, 15), new Access(TraceBatch.LOAD, 0x7fff_ffff_fff8L, 8),
                new Access(TraceBatch.STORE, 5, 64), new Access(TraceBatch.STORE, 0x44, 4096), new Access(TraceBatch.MODIFY, 0, 3));
        String records = ""
                + "1b 002080"           // fetch of 3, delta 0x401000: zigzag 0x802000
                + "00 0f00"             // fetch, size follows, where it was expected
                + "66 f0ffffffffff"     // load of 8, zigzag of 0x7ffffffffff8
                + "b9 0a"               // store of 64, delta 5
                + "81 0010 01"          // store, size follows, delta −1
                + "c0 0300";            // modify, size follows, delta 0
        byte[] expected = join(head(), block(records), end(6));

        assertThat(Files.readAllBytes(write("a.ptrace", accesses))).isEqualTo(expected);
        assertThat(TraceFiles.read(expected)).isEqualTo(accesses);
    }

    @Test
    @DisplayName("X03 many blocks, comments and every compression come back; the file's name does not matter to the reader")
    void longTrace() throws IOException {
        List<Access> accesses = many();
        for (String name : new String[] {"a.ptrace", "a.ptrace.zst", "A.PTRACE.XZ", "a.ptrace.gz"}) {
            Path file = write(name, accesses, "command: ls", "ümlaut");
            Path renamed = Files.move(file, folder.resolve("renamed.txt"));
            try (TraceReader reader = TraceReader.open(renamed)) {
                assertThat(TraceFiles.read(reader, 1000)).isEqualTo(accesses);
                assertThat(reader.format()).isEqualTo(TraceFormat.BINARY);
                assertThat(reader.comments()).containsExactly("command: ls", "ümlaut");
                assertThat(reader.records()).isEqualTo(accesses.size());
            }
            Files.delete(renamed);
        }
    }

    @Test
    @DisplayName("X03 text, binary form and text again: the same records, the same comments, the same bytes")
    void conversion() throws IOException {
        Path text = write("a.trace", many(), "command: ls", "host: here");
        Path binary = folder.resolve("a.ptrace.zst");
        Path again = folder.resolve("b.trace");

        TraceConversion there = TraceConversion.convert(text, binary);
        TraceConversion back = TraceConversion.convert(binary, again);

        assertThat(there.from()).isEqualTo(TraceFormat.LACKEY);
        assertThat(there.to()).isEqualTo(TraceFormat.BINARY);
        assertThat(back.records()).isEqualTo(60_000);
        assertThat(back.bytesBefore()).isEqualTo(Files.size(binary)).isEqualTo(there.bytesAfter());
        assertThat(again).hasSameBinaryContentAs(text);
    }

    @Test
    @DisplayName("X03 a conversion of a damaged trace leaves the target as it was")
    void conversionFails() throws IOException {
        Path text = TraceFiles.write(folder, "a.trace", TraceFiles.lines(5000) + "nonsense\n");
        Path target = TraceFiles.write(folder, "a.ptrace", "older");

        assertThatThrownBy(() -> TraceConversion.convert(text, target)).isInstanceOf(TraceFormatException.class).hasMessageContaining(":5001:");
        assertThat(target).hasContent("older");
        assertThat(folder.toFile().list()).containsExactlyInAnyOrder("a.trace", "a.ptrace");
    }

    @Test
    @DisplayName("X03 every byte of a trace in binary form is protected: whichever is changed, the trace is refused")
    void anyByteChanged() throws IOException {
        byte[] whole = Files.readAllBytes(write("a.ptrace", many().subList(0, 20), "a comment"));
        for (int i = 0; i < whole.length; i++) {
            byte[] damaged = whole.clone();
            damaged[i] ^= 0x04;
            failure(damaged);
        }
    }

    @Test
    @DisplayName("X03 a trace that was cut off is refused wherever it ends, at the end of a block too")
    void anyLength() throws IOException {
        byte[] whole = Files.readAllBytes(write("a.ptrace", many().subList(0, 20), "a comment"));
        for (int length = 8; length < whole.length; length++) {
            assertThat(failure(Arrays.copyOf(whole, length)).getMessage()).as("%d of %d bytes", length, whole.length)
                    .contains("the file ends inside it, so it was cut off");
        }
        assertThat(failure(join(whole, new byte[1])).getMessage()).contains("more follows the end of the trace");
    }

    @Test
    @DisplayName("X03 a damaged block is named by its place, and the records of the blocks before it are delivered")
    void damagedBlock() throws IOException {
        byte[] whole = Files.readAllBytes(write("a.ptrace", many()));
        int first = 20 + 8 + (int) BinaryForm.INT32.get(whole, 20);
        whole[first + 8 + 100] ^= 1;
        List<Access> delivered = new ArrayList<>();
        TraceBatch batch = new TraceBatch(1000);

        try (TraceReader reader = TraceReader.open("bad", new ByteArrayInputStream(whole))) {
            assertThatThrownBy(() -> {
                while (reader.read(batch) > 0) {
                    delivered.addAll(TraceFiles.accesses(batch));
                }
            }).isInstanceOf(TraceFormatException.class);
            delivered.addAll(TraceFiles.accesses(batch));
            assertThat(delivered).isEqualTo(many().subList(0, delivered.size())).hasSizeGreaterThan(5000);
            assertThatThrownBy(() -> reader.read(batch)).hasMessage("bad: the block after record " + delivered.size() + ", at byte " + first
                    + ": its checksum is wrong, so it was damaged; copy or convert it again");
        }
    }

    @Test
    @DisplayName("X03 a bad record in a good block is named by its number and byte")
    void badRecords() throws IOException {
        String[][] bad = {
            {"1f 00000000000000", "a delta of 7 bytes; it has 0 to 6"},
            {"07 0000 00000000000000", "a delta of 7 bytes; it has 0 to 6"},
            {"00 0000", "a size of 0 bytes; 1 to 4096 are possible"},
            {"00 0110", "a size of 4097 bytes; 1 to 4096 are possible"},
            {"4a 01", "it is longer than its block"},
            {"00 01", "it is longer than its block"},
            {"66 f2ffffffffff", "an access of 8 bytes at 7ffffffffff9; user addresses are below 800000000000 (hexadecimal)"},
            {"49 01", "an access of 1 bytes at ffffffffffffffff; user addresses are below 800000000000 (hexadecimal)"},
        };
        for (String[] b : bad) {
            byte[] trace = join(head(), block("1b 002080" + b[0]), end(2));
            assertThat(failure(trace).getMessage()).contains("record 2, at byte 32: " + b[1]);
        }
    }

    @Test
    @DisplayName("X03 the number at the end finds a block that is missing; a trace without records is refused")
    void wrongNumber() throws IOException {
        assertThat(failure(join(head(), block("18"), end(2))).getMessage()).contains("the trace was written with 2 records");
        assertThat(failure(join(head(), end(0))).getMessage()).contains("holds no record");
    }

    @Test
    @DisplayName("X03 lengths out of range are refused and nothing is allocated for them; so is another version")
    void lengths() throws IOException {
        byte[] comments = bytes("89 50 54 52 0d 0a 1a 0a 0100 0000 ffffffff");
        assertThat(failure(comments).getMessage()).contains("comments of 4294967295 bytes; at most 65536 are possible");
        assertThat(failure(join(head(), bytes("ffffff7f 00000000"))).getMessage()).contains("a length of 2147483647 bytes; 1 to 65536");
        assertThat(failure(bytes("89 50 54 52 0d 0a 1a 0a 0200 0000 00000000")).getMessage()).contains("binary form of version 2");
    }

    @ParameterizedTest
    @EnumSource(TraceCompression.class)
    @DisplayName("X03 an I/O error of the device is no format error; a cut-off compressed stream names the stream")
    void compressed(TraceCompression compression) throws IOException {
        byte[] whole = TraceFiles.compress(compression, Files.readAllBytes(write("a.ptrace", many())));

        assertThatThrownBy(() -> {
            ByteArrayInputStream half = new ByteArrayInputStream(whole, 0, whole.length / 2);
            try (TraceReader reader = TraceReader.open("broken", new SequenceInputStream(half, TraceFiles.failing()))) {
                TraceSummary.of(reader);
            }
        }).isExactlyInstanceOf(IOException.class).hasMessage("Input/output error");
        assertThat(failure(Arrays.copyOf(whole, whole.length / 2)).getMessage()).contains("was cut off");
    }
}
