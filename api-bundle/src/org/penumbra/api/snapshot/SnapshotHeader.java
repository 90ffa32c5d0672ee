package org.penumbra.api.snapshot;

import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UTFDataFormatException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.CRC32;
import org.penumbra.api.machine.MachineException;

/**
 * What a snapshot says of itself, ahead of the machine's state. Immutable.
 *
 * <pre>
 *  offset  bytes
 *       0      8  "PENUMBRA"
 *       8      4  {@link #VERSION}, the high byte first, as all numbers
 *      12      4  number of facts, {@link #MOST_FACTS} at most
 *      16      …  each fact: name and value, as {@link java.io.DataOutput#writeUTF} writes them
 *       …      4  CRC-32 of the facts
 * </pre>
 *
 * @param facts what was chosen for the machine, and what it was when it was saved, by name; unmodifiable, sorted
 */
public record SnapshotHeader(Map<String, String> facts) {
    /** Of the whole file. A file of another is refused. */
    public static final int VERSION = 1;
    public static final int MOST_FACTS = 4096;

    /** Guest memory at first, in bytes. */
    public static final String MEMORY = "memory";
    /** Level of the host's pages. */
    public static final String HOST_PAGE_LEVEL = "host.page.level";
    /** Name of the processor model. */
    public static final String HARDWARE = "hardware";
    /** Number of vCPUs. */
    public static final String VCPUS = "vcpus";
    /** Whether a guest hypervisor has VMCS shadowing. */
    public static final String SHADOW_VMCS = "shadow.vmcs";
    /** The execution engine by {@code engine.name}. */
    public static final String ENGINE = "engine";
    /** The design by {@code mmu.name}; {@link #BUNDLE}, which offered it. */
    public static final String DESIGN = "design";
    public static final String BUNDLE = "bundle";
    /** Operations retired. */
    public static final String OPERATIONS = "operations";
    /** Before the name of a figure of the processor model that its guest sees. */
    public static final String FIGURE = "figure.";
    /** Before what {@link org.penumbra.api.machine.GuestBoot#identity} says. */
    public static final String GUEST = "guest.";

    private static final long MAGIC = 0x5045_4e55_4d42_5241L;

    public SnapshotHeader {
        facts = Collections.unmodifiableMap(new TreeMap<>(facts));
    }

    /** The value of {@code name}. */
    public String fact(String name) {
        String value = facts.get(name);
        if (value == null) {
            throw new MachineException("the snapshot does not say what its " + name + " is");
        }
        return value;
    }

    /** The value of {@code name}, which is a number. */
    public long number(String name) {
        try {
            return Long.parseLong(fact(name));
        } catch (NumberFormatException e) {
            throw new MachineException("the snapshot says that its " + name + " is '" + fact(name) + "', which is no number", e);
        }
    }

    /** The facts whose name begins with {@code prefix}, without it. */
    public Map<String, String> under(String prefix) {
        Map<String, String> found = new TreeMap<>();
        facts.forEach((name, value) -> {
            if (name.startsWith(prefix)) {
                found.put(name.substring(prefix.length()), value);
            }
        });
        return found;
    }

    /** Writes it as the table says. */
    public void write(DataOutputStream out) throws IOException {
        out.writeLong(MAGIC);
        out.writeInt(VERSION);
        out.writeInt(facts.size());
        for (Map.Entry<String, String> e : facts.entrySet()) {
            out.writeUTF(e.getKey());
            out.writeUTF(e.getValue());
        }
        out.writeInt(checksum());
    }

    private int checksum() {
        CRC32 sum = new CRC32();
        facts.forEach((name, value) -> sum.update((name + '\0' + value + '\0').getBytes(java.nio.charset.StandardCharsets.UTF_8)));
        return (int) sum.getValue();
    }

    /**
     * Reads it, and nothing beyond.
     *
     * @throws MachineException if this is none, or one of another version
     */
    public static SnapshotHeader read(DataInputStream in) throws IOException {
        try {
            if (in.readLong() != MAGIC) {
                throw new MachineException("is no snapshot of a machine");
            }
            int version = in.readInt();
            if (version != VERSION) {
                throw new MachineException("is a snapshot of version " + version + ", and this Penumbra reads version " + VERSION);
            }
            int count = in.readInt();
            Map<String, String> facts = new TreeMap<>();
            for (int i = 0; i < count && i <= MOST_FACTS; i++) {
                facts.put(in.readUTF(), in.readUTF());
            }
            SnapshotHeader header = new SnapshotHeader(facts);
            if (facts.size() != count || in.readInt() != header.checksum()) {
                throw new MachineException("is damaged: what it says of itself does not fit its checksum");
            }
            return header;
        } catch (EOFException e) {
            throw new MachineException("is no whole snapshot of a machine: it ends too early", e);
        } catch (UTFDataFormatException e) {
            throw new MachineException("is damaged: what it says of itself is no text", e);
        }
    }

    /**
     * What {@code file} says of itself.
     *
     * @throws MachineException with a line for the user that names the file, if it cannot be read or is no snapshot of {@link #VERSION}
     */
    public static SnapshotHeader of(Path file) {
        try (InputStream raw = Files.newInputStream(file); DataInputStream in = new DataInputStream(new BufferedInputStream(raw))) {
            return read(in);
        } catch (MachineException e) {
            throw new MachineException(file + " " + e.getMessage(), e);
        } catch (NoSuchFileException e) {
            throw new MachineException(file + ": there is no such file", e);
        } catch (IOException e) {
            throw new MachineException(file + " cannot be read: " + e.getMessage(), e);
        }
    }
}
