package org.penumbra.vmx.memory;

/**
 * The dirty ring of one vCPU (KVM: virt/kvm/dirty_ring.c). An entry is written by the vCPU's thread, told by a harvest, and free again after a
 * reset; three indices that only grow stand for the three. Harvest and reset happen while the vCPU is parked.
 */
public final class DirtyRing {
    /** Entries beyond the soft limit: for what a processor's log holds, and what one exit may mark besides. KVM: KVM_DIRTY_RING_RSVD_ENTRIES. */
    private static final int RESERVED = 512 + 64;
    /** Fewest and most entries; a power of two. */
    public static final int FEWEST = 1024;
    public static final int MOST = 65536;

    private final long[] gfns;
    private long written;
    private long told;
    private long reset;

    /** @throws IllegalArgumentException if there cannot be a ring of so many entries */
    public DirtyRing(int entries) {
        if (entries < FEWEST || entries > MOST || Integer.bitCount(entries) != 1) {
            throw new IllegalArgumentException("dirty ring of " + entries + " entries: a power of two from " + FEWEST + " to " + MOST + " is needed");
        }
        gfns = new long[entries];
    }

    /** Writes an entry; false if there is no room. */
    boolean push(long gfn) {
        if (written - reset == gfns.length) {
            return false;
        }
        gfns[(int) written++ & gfns.length - 1] = gfn;
        return true;
    }

    /** True if the vCPU is to run no further before a reset. KVM: kvm_dirty_ring_soft_full. */
    public boolean softFull() {
        return written - reset >= gfns.length - RESERVED;
    }

    /** The next entry that was not told yet; −1 if there is none. */
    public long tell() {
        return told == written ? -1 : gfns[(int) told++ & gfns.length - 1];
    }

    /** Frees the next entry that was told: its gfn; −1 if there is none. */
    public long free() {
        return reset == told ? -1 : gfns[(int) reset++ & gfns.length - 1];
    }
}
