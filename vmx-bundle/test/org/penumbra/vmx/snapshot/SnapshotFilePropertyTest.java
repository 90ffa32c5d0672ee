package org.penumbra.vmx.snapshot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Label;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.snapshot.SnapshotHeader;

class SnapshotFilePropertyTest {
    private static final SnapshotHeader HEADER = new SnapshotHeader(Map.of("memory", "2097152", "engine", "x86"));
    private static Path folder;
    private static byte[] good;
    private static List<String> content;

    @BeforeContainer
    static void write() throws IOException {
        folder = Files.createTempDirectory("snapshot");
        PhysicalMemory memory = new PhysicalMemory(2 << 20);
        Random random = new Random(1);
        for (int page = 1; page < 4; page++) {
            for (int i = 0; i < 60; i++) {
                memory.store64(page << 12 | random.nextInt(512) << 3, random.nextLong());
            }
        }
        Path file = folder.resolve("good");
        SnapshotWriter.write(file, HEADER, to -> {
            to.section("first", out -> out.writeUTF("something"));
            to.section("second", out -> out.writeLong(17));
            to.page(0, memory, 0);
            to.page(0x5000, memory, 0x1000);
            to.page(0x7000, memory, 0x2000);
            to.page(0x7f00_0000_0000L, memory, 0x3000);
        });
        good = Files.readAllBytes(file);
        content = read(file);
        assertThat(content).hasSize(5).startsWith("something", "17");
        assertThat(content.get(2)).as("the page of zeroes is left out").startsWith("5000 ");
    }

    @AfterContainer
    static void delete() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            for (Path f : files.toList()) {
                Files.delete(f);
            }
        }
        Files.delete(folder);
    }

    private static List<String> read(Path file) {
        List<String> lines = new ArrayList<>();
        try (SnapshotReader reader = new SnapshotReader(file)) {
            assertThat(reader.header()).isEqualTo(HEADER);
            reader.read("first", in -> lines.add(in.readUTF()));
            reader.read("second", in -> lines.add(String.valueOf(in.readLong())));
            reader.pages((hva, words) -> lines.add(Long.toHexString(hva) + " " + Arrays.hashCode(words)));
        }
        return lines;
    }

    private static Path file(byte[] bytes) throws IOException {
        return Files.write(folder.resolve("bad"), bytes);
    }

    @Property(tries = 3000)
    @Label("P10 a file with a changed bit is refused with a line that names it, or everything in it is as it was")
    void changed(@ForAll @IntRange(max = 1 << 20) int where, @ForAll @IntRange(max = 7) int bit) throws IOException {
        byte[] bad = good.clone();
        bad[where % bad.length] ^= (byte) (1 << bit);
        Path file = file(bad);
        try {
            assertThat(read(file)).isEqualTo(content);
        } catch (MachineException e) {
            assertThat(e).message().startsWith(file.toString()).doesNotContain("\n");
        }
    }

    @Property(tries = 500)
    @Label("P10 a file that ends too early is refused with a line that names it")
    void cut(@ForAll @IntRange(max = 1 << 20) int length) throws IOException {
        Path file = file(Arrays.copyOf(good, length % good.length));
        assertThatThrownBy(() -> read(file)).isInstanceOf(MachineException.class).message().startsWith(file.toString()).doesNotContain("\n");
    }

    @Example
    @Label("P10 a part that is missing, longer than what is read of it, or shorter, is told")
    void parts() throws IOException {
        try (SnapshotReader reader = new SnapshotReader(file(good))) {
            assertThatThrownBy(() -> reader.read("third", in -> { })).hasMessageContaining("it has no part 'third'");
            assertThatThrownBy(() -> reader.read("second", in -> in.readInt())).hasMessageContaining("its part 'second' has 4 bytes too many");
            assertThatThrownBy(() -> reader.read("second", in -> {
                in.readLong();
                in.readInt();
            })).hasMessageContaining("its part 'second' cannot be read");
        }
    }

    @Example
    @Label("P10 when writing fails the older file is there as it was, and nothing else")
    void failed() throws IOException {
        Path file = Files.writeString(folder.resolve("older"), "older");
        long before = count();
        assertThatThrownBy(() -> SnapshotWriter.write(file, HEADER, to -> {
            to.section("first", out -> out.writeUTF("something"));
            throw new IOException("No space left on device");
        })).isInstanceOf(MachineException.class).hasMessage("the snapshot " + file + " cannot be written: java.io.IOException: No space left on device");
        assertThat(file).hasContent("older");
        assertThat(count()).isEqualTo(before);
    }

    private static long count() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.count();
        }
    }
}
