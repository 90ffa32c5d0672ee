package org.penumbra.api.paging;

import static org.penumbra.api.paging.ControlBits.*;

/**
 * The registers that decide how linear addresses are translated: architectural state, therefore held by the machine and handed
 * to an MMU by value. Immutable.
 *
 * @param cr3 as software reads it back, that is without operand bit 63
 * @param pdptes the PDPTE registers; they have a meaning under PAE paging only
 */
public record PagingState(long cr0, long cr3, long cr4, long efer, int pkru, int pkrs, Pdptes pdptes) {
    private static final long ADDRESS = 0x000f_ffff_ffff_f000L;

    /** A state whose PDPTE registers hold nothing. */
    public PagingState(long cr0, long cr3, long cr4, long efer, int pkru, int pkrs) {
        this(cr0, cr3, cr4, efer, pkru, pkrs, Pdptes.NONE);
    }

    /** Long mode with 4-level paging, write protection and no-execute on; tables at {@code root} (gpa, 4 KiB aligned). */
    public static PagingState longMode(long root) {
        return new PagingState(CR0_PE | CR0_WP | CR0_PG, root, CR4_PAE, EFER_LME | EFER_LMA | EFER_NXE, 0, 0);
    }

    /** This state with another CR3. */
    public PagingState withCr3(long value) {
        return new PagingState(cr0, value, cr4, efer, pkru, pkrs, pdptes);
    }

    /** This state with another CR0. */
    public PagingState withCr0(long value) {
        return new PagingState(value, cr3, cr4, efer, pkru, pkrs, pdptes);
    }

    /** This state with another CR4. */
    public PagingState withCr4(long value) {
        return new PagingState(cr0, cr3, value, efer, pkru, pkrs, pdptes);
    }

    /** This state with another EFER. */
    public PagingState withEfer(long value) {
        return new PagingState(cr0, cr3, cr4, value, pkru, pkrs, pdptes);
    }

    /** This state with another PKRU. */
    public PagingState withPkru(int value) {
        return new PagingState(cr0, cr3, cr4, efer, value, pkrs, pdptes);
    }

    /** This state with another IA32_PKRS. */
    public PagingState withPkrs(int value) {
        return new PagingState(cr0, cr3, cr4, efer, pkru, value, pdptes);
    }

    /** This state with other PDPTE registers. */
    public PagingState withPdptes(Pdptes value) {
        return new PagingState(cr0, cr3, cr4, efer, pkru, pkrs, value);
    }

    /** The paging mode. */
    public PagingMode mode() {
        return PagingMode.of(cr0, cr4, efer);
    }

    /**
     * Guest-physical address of the table that CR3 names: the top-level table; under PAE paging the four entries that the PDPTE
     * registers are loaded from.
     */
    public long root() {
        switch (mode()) {
            case BITS_32:
                return cr3 & 0xffff_f000L;
            case PAE:
                return cr3 & Pdptes.TABLE;
            default:
                return cr3 & ADDRESS;
        }
    }

    /** The current PCID; 0 while CR4.PCIDE = 0. */
    public int pcid() {
        return has4(CR4_PCIDE) ? (int) (cr3 & CR3_PCID) : 0;
    }

    /** True if CR0 has {@code bit} set. */
    public boolean has0(long bit) {
        return (cr0 & bit) != 0;
    }

    /** True if CR4 has {@code bit} set. */
    public boolean has4(long bit) {
        return (cr4 & bit) != 0;
    }

    /** True if EFER has {@code bit} set. */
    public boolean hasEfer(long bit) {
        return (efer & bit) != 0;
    }
}
