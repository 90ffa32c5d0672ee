package org.penumbra.vmx.snapshot;

import java.io.BufferedInputStream;
import java.io.ByteArrayInputStream;
import java.io.Closeable;
import java.io.DataInput;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.zip.GZIPInputStream;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.snapshot.SnapshotHeader;

/**
 * Reads what {@link SnapshotWriter} has written: all sections at once, pages as they come. Believes nothing: lengths, order and checksum are looked
 * at, and whatever is wrong is a {@link MachineException} of one line that names the file.
 */
public final class SnapshotReader implements Closeable {
    /** A part of a machine is small; a guest's history is the largest. */
    private static final int MOST_SECTION_BYTES = 1 << 29;
    private static final int MOST_SECTIONS = 4096;
    private static final int FRAME = PhysicalMemory.FRAME_BYTES;
    private static final long HVA_END = 1L << 47;

    /** What takes a part of the machine. */
    @FunctionalInterface
    public interface Part {
        void read(DataInput in) throws IOException;
    }

    /** What takes a page. */
    @FunctionalInterface
    public interface Pages {
        /** @param words the page's 512 words, valid during the call */
        void page(long hva, long[] words);
    }

    private final Path file;
    private final DataInputStream in;
    private final SnapshotHeader header;
    private final Map<String, byte[]> sections = new HashMap<>();

    /** Opens {@code file} and reads header and sections. */
    public SnapshotReader(Path file) {
        this.file = file;
        this.header = SnapshotHeader.of(file);
        DataInputStream opened = null;
        try {
            InputStream raw = new BufferedInputStream(Files.newInputStream(file), 1 << 16);
            opened = new DataInputStream(raw);
            SnapshotHeader.read(opened);
            opened = new DataInputStream(new BufferedInputStream(new GZIPInputStream(raw, 1 << 16), 1 << 16));
            readSections(opened);
        } catch (IOException e) {
            close(opened);
            throw damaged(e);
        } catch (RuntimeException | Error e) {
            close(opened);
            throw e;
        }
        in = opened;
    }

    private void readSections(DataInputStream from) throws IOException {
        for (String name = from.readUTF(); !name.equals(SnapshotWriter.PAGES); name = from.readUTF()) {
            int length = from.readInt();
            if (length < 0 || length > MOST_SECTION_BYTES || sections.size() == MOST_SECTIONS) {
                throw new IOException("its part '" + name + "' has " + length + " bytes");
            }
            // Grows as the bytes come: a length that is a lie costs nothing.
            byte[] bytes = from.readNBytes(length);
            if (bytes.length < length) {
                throw new EOFException();
            }
            if (sections.put(name, bytes) != null) {
                throw new IOException("its part '" + name + "' is there twice");
            }
        }
    }

    /** The file, for messages. */
    public Path file() {
        return file;
    }

    /** What the file says of itself. */
    public SnapshotHeader header() {
        return header;
    }

    /** Has {@code part} read the part {@code name}, all of it. */
    public void read(String name, Part part) {
        byte[] bytes = sections.get(name);
        if (bytes == null) {
            throw damaged(new IOException("it has no part '" + name + "'"));
        }
        ByteArrayInputStream left = new ByteArrayInputStream(bytes);
        try {
            part.read(new DataInputStream(left));
        } catch (MachineException e) {
            throw new MachineException(file + " cannot be restored: " + e.getMessage(), e);
        } catch (IOException | RuntimeException e) {
            throw damaged(new IOException("its part '" + name + "' cannot be read" + (e.getMessage() == null ? "" : ": " + e.getMessage()), e));
        }
        if (left.available() > 0) {
            throw damaged(new IOException("its part '" + name + "' has " + left.available() + " bytes too many"));
        }
    }

    /** Tells every page, by ascending hva, up to the end of the file, whose checksum is looked at. */
    public void pages(Pages whom) {
        byte[] bytes = new byte[FRAME];
        long[] words = new long[FRAME / 8];
        try {
            long last = -FRAME;
            long count = 0;
            for (long hva = in.readLong(); hva != SnapshotWriter.END; hva = in.readLong()) {
                if (hva <= last || hva >= HVA_END || (hva & FRAME - 1) != 0) {
                    throw new IOException(String.format("a page at 0x%x comes after the one at 0x%x", hva, last));
                }
                last = hva;
                in.readFully(bytes);
                ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asLongBuffer().get(words);
                whom.page(hva, words);
                count++;
            }
            if (in.readLong() != count || in.read() >= 0) {
                throw new IOException("it does not end behind its last page");
            }
        } catch (IOException e) {
            throw damaged(e);
        }
    }

    private MachineException damaged(IOException e) {
        String why = e instanceof EOFException ? "it ends too early" : e.getMessage();
        return new MachineException(file + " is a damaged snapshot: " + why, e);
    }

    @Override
    public void close() {
        close(in);
    }

    private static void close(Closeable stream) {
        try {
            if (stream != null) {
                stream.close();
            }
        } catch (IOException e) {
            // Nothing was written.
        }
    }
}
