package org.penumbra.api.memory;

/**
 * A memslot: a range of guest-physical memory backed by a range of the host address space.
 *
 * @param baseGfn first guest frame
 * @param frames number of 4 KiB frames, at least 1
 * @param hva host-virtual address of the first frame, 4 KiB aligned
 */
public record MemorySlot(int id, long baseGfn, long frames, long hva) {
    /** True if {@code gfn} lies in this slot. */
    public boolean contains(long gfn) {
        return gfn >= baseGfn && gfn - baseGfn < frames;
    }

    /** Host-virtual address of {@code gfn}, which must lie in this slot. */
    public long hvaOf(long gfn) {
        return hva + (gfn - baseGfn << 12);
    }
}
