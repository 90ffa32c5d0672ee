package org.penumbra.vmx.memory;

import org.eclipse.collections.impl.map.mutable.primitive.LongLongHashMap;
import org.penumbra.api.memory.PhysicalMemory;

/**
 * The address space of the process that runs the virtual machine: which host frame is behind a page, and in which condition.
 * Bookkeeping exists only for touched chunks of 2 MiB. Not thread-safe: {@link HostMemory} guards it.
 *
 * <pre>
 *  bits 60:0  pfn + 1 of the frame that holds the page's contents; 0: never used
 *  bit  61    shared with other pages, and not to be written
 *  bit  62    swapped out: the frame belongs to the swap device
 * </pre>
 */
final class HostAddressSpace {
    private static final long SHARED = 1L << 61;
    private static final long SWAPPED = 1L << 62;
    private static final long FRAME = SHARED - 1;
    private static final int PAGES = 512;

    private final long bytes;
    private final boolean large;
    private final long[][] chunks;
    /** Chunks of 2 MiB whose large host page was split. */
    private final boolean[] split;
    /** From pfn to hva of a page that has it; null unless wanted. */
    private final LongLongHashMap owners;

    /**
     * {@code bytes} bytes from hva 0.
     *
     * @param large backed by pages of 2 MiB as far as they fit
     * @param reverse {@link #hvaOf} will be asked
     */
    HostAddressSpace(long bytes, boolean large, boolean reverse) {
        this.bytes = bytes;
        this.large = large;
        int n = (int) (bytes + (1 << 21) - 1 >>> 21);
        this.chunks = new long[n][];
        this.split = new boolean[n];
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
        int i = (int) (hva >>> 21);
        if (chunks[i] == null) {
            chunks[i] = new long[PhysicalMemory.FRAME_BYTES / 8];
        }
        chunks[i][(int) (hva >>> 12) & PAGES - 1] = pfn + 1 | (isShared ? SHARED : 0) | (isSwapped ? SWAPPED : 0);
        if (owners != null) {
            owners.put(pfn, hva);
        }
    }

    /** True if a whole host page of 2 MiB is, or will be, behind {@code hva}. */
    boolean large(long hva) {
        return large && (hva & -(1L << 21)) + (1 << 21) <= bytes && !split[(int) (hva >>> 21)];
    }

    /** From now on the 2 MiB around {@code hva} are pages of 4 KiB. */
    void split(long hva) {
        split[(int) (hva >>> 21)] = true;
    }

    /** The page that was last put into {@code pfn}; −1 if none was. */
    long hvaOf(long pfn) {
        return owners.getIfAbsent(pfn, -1);
    }

    private long entry(long hva) {
        long[] chunk = chunks[(int) (hva >>> 21)];
        return chunk == null ? 0 : chunk[(int) (hva >>> 12) & PAGES - 1];
    }
}
