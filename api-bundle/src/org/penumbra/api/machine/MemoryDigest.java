package org.penumbra.api.machine;

import org.penumbra.api.memory.PhysicalMemory;

/**
 * A digest of guest-physical memory by which runs under different MMUs are compared: FNV-1a over (gpa, value) of every 8 bytes
 * that are not zero, so that it does not matter where the host keeps a frame or whether an all-zero frame exists. After each
 * product it is rotated, since a product moves a difference in the high bits out instead of spreading it.
 */
public final class MemoryDigest {
    private static final long OFFSET = 0xcbf2_9ce4_8422_2325L;
    private static final long PRIME = 0x100_0000_01b3L;

    private final PhysicalMemory memory;
    private long digest = OFFSET;

    /** The digest of no frame yet; frames lie in {@code memory}. */
    public MemoryDigest(PhysicalMemory memory) {
        this.memory = memory;
    }

    /** Adds the frame at {@code gpa}, whose contents are at {@code hpa}. Frames come by ascending gpa; those that are all zero may be left out. */
    public void frame(long gpa, long hpa) {
        for (int i = 0; i < PhysicalMemory.FRAME_BYTES; i += 8) {
            long value = memory.load64(hpa + i);
            if (value != 0) {
                digest = Long.rotateLeft((Long.rotateLeft((digest ^ gpa + i) * PRIME, 31) ^ value) * PRIME, 31);
            }
        }
    }

    /** The digest of the frames so far. */
    public long value() {
        return digest;
    }

    /** The digest of {@code memory} where guest-physical addresses are addresses in it. Costs what the memory holds, not its size. */
    public static long of(PhysicalMemory memory) {
        MemoryDigest digest = new MemoryDigest(memory);
        memory.resident(hpa -> digest.frame(hpa, hpa));
        return digest.value();
    }
}
