package org.penumbra.vmx.snapshot;

import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataOutput;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.UUID;
import java.util.zip.Deflater;
import java.util.zip.GZIPOutputStream;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.snapshot.SnapshotHeader;

/**
 * Writes a snapshot: the {@link SnapshotHeader}, then, compressed as a gzip member, whose checksum covers them, sections and pages.
 *
 * <pre>
 *  section  name (UTF), length in bytes (int), bytes
 *  …        one for each part of the machine
 *  pages    {@link #PAGES} (UTF), then each page of the host that is not all zero: hva (long), 4096 bytes as they lie in memory; by ascending hva
 *           {@link #END} (long), number of pages (long)
 * </pre>
 *
 * Equal machines have equal files.
 */
public final class SnapshotWriter {
    static final String PAGES = "pages";
    static final long END = -1;
    private static final int FRAME = PhysicalMemory.FRAME_BYTES;

    /** What writes a part of the machine. */
    @FunctionalInterface
    public interface Part {
        void write(DataOutput out) throws IOException;
    }

    /** What writes the machine: sections, then pages. */
    @FunctionalInterface
    public interface Body {
        void write(SnapshotWriter to) throws IOException;
    }

    private final DataOutputStream out;
    private final ByteBuffer page = ByteBuffer.allocate(FRAME).order(ByteOrder.LITTLE_ENDIAN);
    private boolean inPages;
    private long pages;

    private SnapshotWriter(DataOutputStream out) {
        this.out = out;
    }

    /**
     * Writes {@code file}; there is no such file, or the older one, until it is whole and on disk.
     *
     * @throws MachineException with a line for the user if it cannot be written
     */
    public static void write(Path file, SnapshotHeader header, Body body) {
        Path folder = file.toAbsolutePath().getParent();
        Path unfinished = folder.resolve("." + file.getFileName() + "." + UUID.randomUUID() + ".unfinished");
        try {
            try (FileChannel channel = FileChannel.open(unfinished, StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW)) {
                OutputStream raw = new BufferedOutputStream(Channels.newOutputStream(channel), 1 << 16);
                header.write(new DataOutputStream(raw));
                try (FastGzip compressed = new FastGzip(raw)) {
                    SnapshotWriter writer = new SnapshotWriter(new DataOutputStream(new BufferedOutputStream(compressed, 1 << 16)));
                    body.write(writer);
                    writer.end();
                    compressed.finish();
                    raw.flush();
                    channel.force(true);
                }
            }
            Files.move(unfinished, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            throw new MachineException("the snapshot " + file + " cannot be written: " + e, e);
        } finally {
            delete(unfinished);
        }
    }

    private static void delete(Path unfinished) {
        try {
            Files.deleteIfExists(unfinished);
        } catch (IOException e) {
            // Why there is no snapshot matters more than what is left of it.
        }
    }

    /** The part {@code name} of the machine. */
    public void section(String name, Part part) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        part.write(new DataOutputStream(bytes));
        out.writeUTF(name);
        out.writeInt(bytes.size());
        bytes.writeTo(out);
    }

    /** The host's page at {@code hva}, whose contents are at {@code hpa} of {@code memory}; sections come before, pages by ascending hva. */
    public void page(long hva, PhysicalMemory memory, long hpa) throws IOException {
        beginPages();
        page.clear();
        long any = 0;
        for (int i = 0; i < FRAME; i += 8) {
            long word = memory.load64(hpa + i);
            any |= word;
            page.putLong(word);
        }
        if (any != 0) {
            out.writeLong(hva);
            out.write(page.array());
            pages++;
        }
    }

    private void beginPages() throws IOException {
        if (!inPages) {
            inPages = true;
            out.writeUTF(PAGES);
        }
    }

    private void end() throws IOException {
        beginPages();
        out.writeLong(END);
        out.writeLong(pages);
        out.flush();
    }

    /** Most of a guest's memory is compressed well at any level, and the guest waits meanwhile. */
    private static final class FastGzip extends GZIPOutputStream {
        FastGzip(OutputStream out) throws IOException {
            super(out, 1 << 16);
            def.setLevel(Deflater.BEST_SPEED);
        }
    }
}
