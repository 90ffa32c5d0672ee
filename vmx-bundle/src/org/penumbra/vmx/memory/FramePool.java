package org.penumbra.vmx.memory;

import java.util.Arrays;
import org.eclipse.collections.impl.map.mutable.primitive.LongIntHashMap;
import org.eclipse.collections.impl.set.mutable.primitive.LongHashSet;
import org.penumbra.api.memory.LeaseException;
import org.penumbra.api.memory.PhysicalMemory;

/**
 * The host's free physical frames, and who holds the others. 4 KiB frames are handed out from the bottom, the one freed last first;
 * naturally aligned blocks of 2 MiB from those that came back whole, else from the top. Bookkeeping exists only for frames that were
 * handed out. Thread-safe.
 */
final class FramePool {
    /** Owner numbers. */
    static final byte FREE = 0;
    static final byte GUEST = 1;
    static final byte SWAP = 2;
    /** The first of the numbers that leases have; each has its own. */
    static final byte FIRST_LEASE = 3;

    private static final int CHUNK_BITS = 10;
    private static final int BLOCK_BITS = 9;
    static final int BLOCK = 1 << BLOCK_BITS;

    private final PhysicalMemory memory;
    private final byte[][] owner;
    /**
     * Frame 0 is nobody's: an entry of zeroes, in whatever table, names it, and a processor with L1TF would read ahead there (Linux:
     * Documentation/admin-guide/hw-vuln/l1tf.rst, which reserves it too).
     */
    private long nextFrame = 1;
    private long endFrame;
    /** Frames that came back, the last one on top; what is not {@link #FREE} any more went with its block. */
    private long[] returned = new long[64];
    private int returnedCount;
    /** How many frames of a block came back, by its number. */
    private final LongIntHashMap freeIn = new LongIntHashMap();
    /** Blocks that came back whole. */
    private final LongHashSet whole = new LongHashSet();
    private long free;

    FramePool(PhysicalMemory memory) {
        this.memory = memory;
        this.endFrame = memory.bytes() >>> 12;
        this.owner = new byte[(int) (endFrame + (1 << CHUNK_BITS) - 1 >>> CHUNK_BITS)][];
    }

    /** A frame for {@code who}, cleared; its pfn. */
    synchronized long allocate(byte who) {
        long pfn = again();
        if (pfn < 0) {
            if (nextFrame == endFrame) {
                throw exhausted();
            }
            pfn = nextFrame++;
        }
        setOwner(pfn, who);
        return pfn;
    }

    /** The frame that came back last; −1 if there is none. */
    private long again() {
        while (returnedCount > 0) {
            long pfn = returned[--returnedCount];
            if (owner(pfn) == FREE) {
                taken(pfn >>> BLOCK_BITS, 1);
                return pfn;
            }
        }
        return -1;
    }

    private void taken(long block, int frames) {
        free -= frames;
        whole.remove(block);
        if (freeIn.addToValue(block, -frames) == 0) {
            freeIn.remove(block);
        }
    }

    /** 512 consecutive frames, the first a multiple of 512, for {@code who}; the first pfn. −1 if there are none in one piece. */
    synchronized long allocateBlock(byte who) {
        long first;
        if (!whole.isEmpty()) {
            long block = whole.longIterator().next();
            taken(block, BLOCK);
            first = block << BLOCK_BITS;
        } else {
            first = (endFrame & -BLOCK) - BLOCK;
            if (first < nextFrame) {
                return -1;
            }
            // What lies above is no whole block, and serves as single frames.
            for (long pfn = first + BLOCK; pfn < endFrame; pfn++) {
                giveBack(pfn);
            }
            endFrame = first;
        }
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
        giveBack(pfn);
    }

    private void giveBack(long pfn) {
        if (returnedCount == returned.length) {
            forgetTaken();
        }
        returned[returnedCount++] = pfn;
        free++;
        if (freeIn.addToValue(pfn >>> BLOCK_BITS, 1) == BLOCK) {
            whole.add(pfn >>> BLOCK_BITS);
        }
    }

    /** Makes room: the list keeps each free frame once, and grows if that is most of it. */
    private void forgetTaken() {
        LongHashSet seen = new LongHashSet();
        int to = returnedCount;
        for (int i = returnedCount - 1; i >= 0; i--) {
            if (owner(returned[i]) == FREE && seen.add(returned[i])) {
                returned[--to] = returned[i];
            }
        }
        returnedCount -= to;
        int size = returnedCount > returned.length / 2 ? returned.length * 2 : returned.length;
        returned = Arrays.copyOf(Arrays.copyOfRange(returned, to, to + returnedCount), size);
    }

    /** Frames that are handed out. */
    synchronized long used() {
        return nextFrame - 1 + (memory.bytes() >>> 12) - endFrame - free;
    }

    /** Who holds {@code pfn}. */
    byte owner(long pfn) {
        int chunk = (int) (pfn >>> CHUNK_BITS);
        if (pfn < 0 || pfn >>> CHUNK_BITS >= owner.length || owner[chunk] == null) {
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
