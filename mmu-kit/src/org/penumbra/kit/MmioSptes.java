package org.penumbra.kit;

import org.penumbra.api.memory.GuestMemory;

/**
 * Entries that say "no slot has this gfn", in a form at which the processor faults in a way of its own, so that the next access to the
 * device needs no walk of the guest's tables. They hold what such an access needs, and the generation of the slots that they were made
 * under, after which they are void. KVM: {@code make_mmio_spte}, {@code check_mmio_spte}. Immutable; any thread.
 *
 * <pre>
 *  bits 2:0    the format's own: which value marks such an entry, and rights of the path
 *  bits 10:3   bits 7:0 of the generation
 *  bit  11     0
 *  bits 51:12  gfn; the top 5 of the processor's address bits are 1, and those of the gfn stand 5 places higher
 *  bits 62:52  bits 18:8 of the generation
 * </pre>
 *
 * A processor that has L1TF reads ahead at the address in an entry that it may not use (Linux:
 * {@code Documentation/admin-guide/hw-vuln/l1tf.rst}). With the top address bits set that is where no memory is; 5 of them suffice, as in
 * KVM ({@code shadow_nonpresent_or_rsvd_mask}). Processors of 47 address bits and more have not enough room, and no L1TF.
 */
public final class MmioSptes {
    /** Bits of the generation that an entry holds. KVM: MMIO_SPTE_GEN_MASK. */
    public static final int GENERATION_BITS = 19;

    private static final int MOVED = 5;
    private static final int LOW_BITS = 8;
    private static final int LOW_SHIFT = 3;
    private static final int HIGH_SHIFT = 52;
    private static final int ROOM = 47;

    private final long value;
    private final long valueMask;
    private final long rightsMask;
    /** The address bits that are 1; none where there is no room. */
    private final long unreachable;

    /**
     * @param value bits that are so in these entries only, of those in {@code valueMask}
     * @param rightsMask bits that keep rights
     * @param physicalAddressBits of the processor
     */
    public MmioSptes(long value, long valueMask, long rightsMask, int physicalAddressBits) {
        this.value = value;
        this.valueMask = valueMask;
        this.rightsMask = rightsMask;
        this.unreachable = physicalAddressBits < ROOM ? (1L << MOVED) - 1 << physicalAddressBits - MOVED : 0;
    }

    /** The entry for {@code gfn}; {@code generation} is not {@link GuestMemory#UPDATING}. */
    public long make(long gfn, long rights, long generation) {
        long address = gfn << 12;
        long kept = generation & (1L << GENERATION_BITS) - 1;
        return value | rights & rightsMask
                | (kept & (1 << LOW_BITS) - 1) << LOW_SHIFT | kept >>> LOW_BITS << HIGH_SHIFT
                | address | unreachable | (address & unreachable) << MOVED;
    }

    /** True if {@code spte} is such an entry. */
    public boolean is(long spte) {
        return (spte & valueMask) == value;
    }

    /** True if {@code spte}, such an entry, was made under {@code generation} as far as it can tell. Never while slots change. */
    public boolean current(long spte, long generation) {
        return (generation & GuestMemory.UPDATING) == 0 && generation(spte) == (generation & (1L << GENERATION_BITS) - 1);
    }

    /** The bits of the generation that {@code spte}, such an entry, was made under. */
    public long generation(long spte) {
        return spte >>> LOW_SHIFT & (1 << LOW_BITS) - 1 | (spte >>> HIGH_SHIFT & (1 << GENERATION_BITS - LOW_BITS) - 1) << LOW_BITS;
    }

    /** The gfn of {@code spte}, such an entry. */
    public long gfn(long spte) {
        long address = spte & 0x000f_ffff_ffff_f000L & ~valueMask;
        long moved = address >>> MOVED & unreachable;
        return (address & ~(unreachable | unreachable << MOVED) | moved) >>> 12;
    }

    /** The rights kept in {@code spte}, such an entry. */
    public long rights(long spte) {
        return spte & rightsMask;
    }

    /** True if a processor that has L1TF reads nothing of interest at the address in {@code spte}, such an entry. */
    public boolean leadsNowhere(long spte) {
        return (spte & unreachable) == unreachable;
    }
}
