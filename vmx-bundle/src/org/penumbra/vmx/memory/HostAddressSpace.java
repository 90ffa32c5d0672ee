package org.penumbra.vmx.memory;

import org.penumbra.api.memory.PhysicalMemory;

/**
 * The address space of the process that runs the virtual machine: hva → pfn, faulted in on first use by pages of one size.
 * Bookkeeping exists only for touched chunks. Thread-safe.
 */
final class HostAddressSpace {
    private static final int CHUNK_BITS = 9;

    private final FramePool pool;
    private final int pageLevel;
    private final long bytes;
    /** pfn + 1 of each 4 KiB page, by chunk of 2 MiB; 0 is not faulted in. */
    private final long[][] chunks;

    /** {@code bytes} bytes from hva 0, backed by pages of {@code pageLevel} (1: 4 KiB, 2: 2 MiB). */
    HostAddressSpace(FramePool pool, long bytes, int pageLevel) {
        this.pool = pool;
        this.pageLevel = pageLevel;
        this.bytes = bytes;
        this.chunks = new long[(int) (bytes + (1 << 21) - 1 >>> 21)][];
    }

    /** The pfn behind {@code hva}, faulted in if needed. */
    synchronized long pfn(long hva) {
        long found = find(hva);
        if (found >= 0) {
            return found;
        }
        long[] chunk = chunk(hva);
        if (pageLevel == 2 && (hva & -(1L << 21)) + (1 << 21) <= bytes) {
            long first = pool.allocateBlock(FramePool.GUEST);
            for (int i = 0; i < chunk.length; i++) {
                chunk[i] = first + i + 1;
            }
        } else {
            chunk[(int) (hva >>> 12) & (1 << CHUNK_BITS) - 1] = pool.allocate(FramePool.GUEST) + 1;
        }
        return find(hva);
    }

    /** The pfn behind {@code hva}; −1 if it was never used. */
    long find(long hva) {
        long[] chunk = chunks[(int) (hva >>> 21)];
        return chunk == null ? -1 : chunk[(int) (hva >>> 12) & (1 << CHUNK_BITS) - 1] - 1;
    }

    /** Level of the pages that back {@code hva}. */
    int level(long hva) {
        return pageLevel == 2 && (hva & -(1L << 21)) + (1 << 21) <= bytes ? 2 : 1;
    }

    private long[] chunk(long hva) {
        int i = (int) (hva >>> 21);
        if (chunks[i] == null) {
            chunks[i] = new long[PhysicalMemory.FRAME_BYTES / 8];
        }
        return chunks[i];
    }
}
