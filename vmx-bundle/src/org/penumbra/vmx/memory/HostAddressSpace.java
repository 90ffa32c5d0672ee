package org.penumbra.vmx.memory;

import org.eclipse.collections.impl.map.mutable.primitive.LongLongHashMap;

/**
 * The address space of the process that runs the virtual machine: which host frame is behind a page, and in which condition. 2^47
 * bytes, all of them anonymous memory that exists from its first use on. Not thread-safe: {@link HostMemory} guards it.
 *
 * <p>Bookkeeping exists for touched memory only: a chunk for 2 MiB, which either maps one block of frames in one piece, or has a
 * group for each 64 KiB in which a page was used. Pages far apart cost some 400 bytes each so, pages in a row 10.
 *
 * <pre>
 *  bits 60:0  pfn + 1 of the frame that holds the page's contents; 0: never used
 *  bit  61    shared with other pages, and not to be written
 *  bit  62    swapped out: the frame belongs to the swap device
 * </pre>
 */
final class HostAddressSpace {
    /** Told of a page that was used: where its contents are, in memory or swap. */
    interface Used {
        void page(long hva, long pfn);
    }

    /** Pages of a chunk. */
    static final int PAGES = 512;

    private static final long SHARED = 1L << 61;
    private static final long SWAPPED = 1L << 62;
    private static final long FRAME = SHARED - 1;
    private static final int HVA_BITS = 47;
    /** All of it. */
    static final long BYTES = 1L << HVA_BITS;
    private static final int CHUNK_SHIFT = 21;
    private static final int GROUP_BITS = 4;
    private static final int GROUP = 1 << GROUP_BITS;
    /** Chunks are found through two arrays of this many bits of the hva each. */
    private static final int HALF_BITS = (HVA_BITS - CHUNK_SHIFT) / 2;
    private static final int HALF = 1 << HALF_BITS;

    private static final class Chunk {
        /** A host page of 2 MiB is, or will be, behind all of it. */
        boolean large;
        /** The first frame of the block behind all of it, where {@link #groups} is null. */
        long first;
        long[][] groups;

        long entry(int page) {
            if (groups == null) {
                return first + page + 1;
            }
            long[] group = groups[page >>> GROUP_BITS];
            return group == null ? 0 : group[page & GROUP - 1];
        }

        void set(int page, long entry) {
            if (groups == null) {
                long[][] pieces = new long[PAGES / GROUP][GROUP];
                for (int i = 0; i < PAGES; i++) {
                    pieces[i >>> GROUP_BITS][i & GROUP - 1] = entry(i);
                }
                groups = pieces;
            }
            int group = page >>> GROUP_BITS;
            if (groups[group] == null) {
                groups[group] = new long[GROUP];
            }
            groups[group][page & GROUP - 1] = entry;
        }
    }

    private final boolean large;
    private final Chunk[][] chunks = new Chunk[HALF][];
    /** From pfn to hva of a page that has it; null unless wanted. */
    private final LongLongHashMap owners;

    /**
     * @param large untouched memory will be backed by pages of 2 MiB
     * @param reverse {@link #hvaOf} will be asked
     */
    HostAddressSpace(boolean large, boolean reverse) {
        this.large = large;
        this.owners = reverse ? new LongLongHashMap() : null;
    }

    /** The frame that holds the contents of the page at {@code hva}; −1 if it was never used. */
    long frame(long hva) {
        return (entry(hva) & FRAME) - 1;
    }

    boolean shared(long hva) {
        return (entry(hva) & SHARED) != 0;
    }

    boolean swapped(long hva) {
        return (entry(hva) & SWAPPED) != 0;
    }

    /** True if the page can be read, and written if {@code write}, as it is. */
    boolean usable(long hva, boolean write) {
        long entry = entry(hva);
        return entry != 0 && (entry & (write ? SWAPPED | SHARED : SWAPPED)) == 0;
    }

    /** Puts the page at {@code hva} into {@code pfn}. */
    void place(long hva, long pfn, boolean isShared, boolean isSwapped) {
        make(hva).set(page(hva), pfn + 1 | (isShared ? SHARED : 0) | (isSwapped ? SWAPPED : 0));
        own(pfn, hva);
    }

    /** Puts the 2 MiB around {@code hva} into the 512 frames from {@code first}: one host page. */
    void placeBlock(long hva, long first) {
        Chunk chunk = make(hva);
        chunk.large = true;
        chunk.first = first;
        chunk.groups = null;
        for (int i = 0; owners != null && i < PAGES; i++) {
            own(first + i, (hva & -(1L << CHUNK_SHIFT)) + ((long) i << 12));
        }
    }

    private void own(long pfn, long hva) {
        if (owners != null) {
            owners.put(pfn, hva);
        }
    }

    /** True if a whole host page of 2 MiB is, or will be, behind {@code hva}. */
    boolean large(long hva) {
        Chunk chunk = chunk(hva);
        return chunk == null ? large : chunk.large;
    }

    /** From now on the 2 MiB around {@code hva} are pages of 4 KiB. */
    void split(long hva) {
        make(hva).large = false;
    }

    /** The page that was last put into {@code pfn}; −1 if none was. */
    long hvaOf(long pfn) {
        return owners.getIfAbsent(pfn, -1);
    }

    /** Tells every used page of the {@code bytes} bytes from {@code hva}, in ascending order. */
    void used(long hva, long bytes, Used used) {
        long end = hva + bytes;
        for (long at = hva; at < end; ) {
            Chunk[] half = chunks[(int) (at >>> CHUNK_SHIFT + HALF_BITS)];
            if (half == null) {
                at = (at >>> CHUNK_SHIFT + HALF_BITS) + 1 << CHUNK_SHIFT + HALF_BITS;
                continue;
            }
            long next = Math.min(end, (at >>> CHUNK_SHIFT) + 1 << CHUNK_SHIFT);
            Chunk chunk = half[(int) (at >>> CHUNK_SHIFT) & HALF - 1];
            for (; chunk != null && at < next; at += 1 << 12) {
                long entry = chunk.entry(page(at));
                if (entry != 0) {
                    used.page(at, (entry & FRAME) - 1);
                }
            }
            at = next;
        }
    }

    private Chunk make(long hva) {
        int top = (int) (hva >>> CHUNK_SHIFT + HALF_BITS);
        if (chunks[top] == null) {
            chunks[top] = new Chunk[HALF];
        }
        int i = (int) (hva >>> CHUNK_SHIFT) & HALF - 1;
        if (chunks[top][i] == null) {
            Chunk made = new Chunk();
            made.large = large;
            made.groups = new long[PAGES / GROUP][];
            chunks[top][i] = made;
        }
        return chunks[top][i];
    }

    private Chunk chunk(long hva) {
        Chunk[] half = chunks[(int) (hva >>> CHUNK_SHIFT + HALF_BITS)];
        return half == null ? null : half[(int) (hva >>> CHUNK_SHIFT) & HALF - 1];
    }

    private long entry(long hva) {
        Chunk chunk = chunk(hva);
        return chunk == null ? 0 : chunk.entry(page(hva));
    }

    private static int page(long hva) {
        return (int) (hva >>> 12) & PAGES - 1;
    }
}
