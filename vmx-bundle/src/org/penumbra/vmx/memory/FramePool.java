package org.penumbra.vmx.memory;

import java.util.Arrays;
import org.penumbra.api.memory.LeaseException;
import org.penumbra.api.memory.PhysicalMemory;

/**
 * The host's free physical frames, and who holds the others. 4 KiB frames are handed out from the bottom, naturally aligned 2 MiB
 * blocks from the top; bookkeeping exists only for frames that were handed out. Thread-safe.
 */
final class FramePool {
    /** Owner numbers. */
    static final byte FREE = 0;
    static final byte GUEST = 1;
    static final byte SWAP = 2;
    /** The first of the numbers that leases have; each has its own. */
    static final byte FIRST_LEASE = 3;

    private static final int CHUNK_BITS = 10;
    private static final int BLOCK = 512;

    private final PhysicalMemory memory;
    private final byte[][] owner;
    private long nextFrame;
    private long endFrame;
    private long[] freed = new long[64];
    private int freedCount;

    FramePool(PhysicalMemory memory) {
        this.memory = memory;
        this.endFrame = memory.bytes() >>> 12;
        this.owner = new byte[(int) (endFrame + (1 << CHUNK_BITS) - 1 >>> CHUNK_BITS)][];
    }

    /** A frame for {@code who}, cleared; its pfn. */
    synchronized long allocate(byte who) {
        long pfn;
        if (freedCount > 0) {
            pfn = freed[--freedCount];
        } else if (nextFrame < endFrame) {
            pfn = nextFrame++;
        } else {
            throw exhausted();
        }
        setOwner(pfn, who);
        return pfn;
    }

    /** 512 consecutive frames, the first a multiple of 512, for {@code who}; the first pfn. */
    synchronized long allocateBlock(byte who) {
        long first = (endFrame & -BLOCK) - BLOCK;
        if (first < nextFrame) {
            throw exhausted();
        }
        endFrame = first;
        for (long pfn = first; pfn < first + BLOCK; pfn++) {
            setOwner(pfn, who);
        }
        return first;
    }

    private LeaseException exhausted() {
        return LeaseException.exhausted("host memory of " + (memory.bytes() >>> 20) + " MiB is exhausted");
    }

    /** Takes {@code pfn} back, with its contents. */
    synchronized void free(long pfn) {
        setOwner(pfn, FREE);
        memory.clearFrame(pfn << 12);
        if (freedCount == freed.length) {
            freed = Arrays.copyOf(freed, freedCount * 2);
        }
        freed[freedCount++] = pfn;
    }

    /** Who holds {@code pfn}. */
    byte owner(long pfn) {
        int chunk = (int) (pfn >>> CHUNK_BITS);
        if (pfn < 0 || chunk >= owner.length || owner[chunk] == null) {
            return FREE;
        }
        return owner[chunk][(int) pfn & (1 << CHUNK_BITS) - 1];
    }

    private void setOwner(long pfn, byte who) {
        int chunk = (int) (pfn >>> CHUNK_BITS);
        if (owner[chunk] == null) {
            owner[chunk] = new byte[1 << CHUNK_BITS];
        }
        owner[chunk][(int) pfn & (1 << CHUNK_BITS) - 1] = who;
    }
}
