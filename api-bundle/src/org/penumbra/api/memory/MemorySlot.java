package org.penumbra.api.memory;

/**
 * A memslot: a range of guest-physical memory backed by a range of the host address space. KVM: {@code struct
 * kvm_userspace_memory_region}, in frames.
 *
 * @param id number by which user space names it
 * @param baseGfn first guest frame
 * @param frames number of 4 KiB frames, at least 1
 * @param hva host-virtual address of the first frame, 4 KiB aligned
 * @param flags {@link #LOG_DIRTY_PAGES}, {@link #READONLY}
 */
public record MemorySlot(int id, long baseGfn, long frames, long hva, int flags) {
    /** Writes to the slot are logged. KVM: {@code KVM_MEM_LOG_DIRTY_PAGES}. */
    public static final int LOG_DIRTY_PAGES = 1;
    /** The guest reads the slot as memory and writes it as a device. KVM: {@code KVM_MEM_READONLY}. */
    public static final int READONLY = 1 << 1;

    /** A slot without flags. */
    public MemorySlot(int id, long baseGfn, long frames, long hva) {
        this(id, baseGfn, frames, hva, 0);
    }

    /** True if {@code gfn} lies in this slot. */
    public boolean contains(long gfn) {
        return gfn >= baseGfn && gfn - baseGfn < frames;
    }

    /** Host-virtual address of {@code gfn}, which must lie in this slot. */
    public long hvaOf(long gfn) {
        return hva + (gfn - baseGfn << 12);
    }

    /** The first frame after the slot. */
    public long endGfn() {
        return baseGfn + frames;
    }

    public boolean readOnly() {
        return (flags & READONLY) != 0;
    }

    public boolean logsDirtyPages() {
        return (flags & LOG_DIRTY_PAGES) != 0;
    }
}
