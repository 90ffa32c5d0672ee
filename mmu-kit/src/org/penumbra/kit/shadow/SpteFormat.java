package org.penumbra.kit.shadow;

import org.penumbra.kit.MmioSptes;
import org.penumbra.kit.Rights;

/**
 * The formats of sptes, which the hardware walks: what PAE, 4-level and 5-level paging have in common (SDM vol. 3, "PAE Paging", "4-Level
 * Paging and 5-Level Paging"), which nested tables of SVM are, too (APM vol. 2, "Nested Paging"), and EPT (SDM vol. 3, "The Extended Page
 * Table Mechanism (EPT)"). Bits that both have are in {@link Spte}.
 *
 * <pre>
 *  LEGACY                                                  EPT
 *  bit  0      P     present                               bit  0      R   readable: {@link Rights#USER}
 *  bit  2      U/S   user                                  bit  2      X   executable
 *  bit  5      A     accessed                              bits 6:3        memory type of a leaf and "ignore PAT"
 *  bit  6      D     dirty, of a leaf                      bit  8      A   accessed, with flags enabled in EPTP
 *  bit  51     with P = 1: no mapping, but an MMIO spte    bit  9      D   dirty, of a leaf
 *              (see MmioSptes); reserved for the processor,
 *              whose addresses are shorter
 *  bit  63     XD    execute-disable
 * </pre>
 *
 * A is set when an entry is made, and D with the write right: the guest's own bits are kept by the walk that precedes it.
 * The memory type is that of the guest hypervisor's leaf: L0's own tables say write-back, which leaves the choice to whoever comes after.
 */
enum SpteFormat {
    LEGACY(1 | SpteFormat.MMIO, 1, 1 << 2, 0, 1L << 63, 1 << 5, 1 << 6),
    EPT(7, 0, 1, 1 << 2, 0, 1 << 8, 1 << 9);

    /** Of a LEGACY spte. */
    private static final long MMIO = 1L << 51;

    /** One of these bits says that an entry is there; of LEGACY the lowest alone. */
    private final long presence;
    private final long present;
    private final long user;
    private final long executable;
    private final long unexecutable;
    final long accessed;
    final long dirty;

    /**
     * @param presence bits that are looked at to tell whether an entry is present
     * @param present what an entry has set that is present
     * @param user the right to read, or that of users
     * @param executable set if it can be executed
     * @param unexecutable set if it cannot
     */
    SpteFormat(long presence, long present, long user, long executable, long unexecutable, long accessed, long dirty) {
        this.presence = presence;
        this.present = present;
        this.user = user;
        this.executable = executable;
        this.unexecutable = unexecutable;
        this.accessed = accessed;
        this.dirty = dirty;
    }

    /** True if {@code spte} maps a page or points at a table. KVM: is_shadow_present_pte. */
    boolean present(long spte) {
        return present == 0 ? (spte & presence) != 0 : (spte & presence) == present;
    }

    /** The MMIO sptes of a processor with {@code physicalAddressBits}; null if it has no reserved bit to mark them by, as in KVM. */
    MmioSptes mmio(int physicalAddressBits) {
        boolean none = this == EPT || physicalAddressBits > 51;
        return none ? null : new MmioSptes(present | MMIO, present | MMIO, Spte.WRITABLE | user, physicalAddressBits);
    }

    /** An entry that points at the shadow page whose table is at {@code spt}; rights are in the leaves and the roles. */
    long table(long spt) {
        return spt | present | Spte.WRITABLE | user | executable | accessed;
    }

    /** A PDPTE of PAE paging, which has no rights, for the page directory at {@code spt}. */
    static long pdpte(long spt) {
        return spt | LEGACY.present;
    }

    /** {@link Rights} to write and to user accesses, as bits of an spte. */
    long rightsBits(int rights) {
        return ((rights & Rights.WRITE) != 0 ? Spte.WRITABLE : 0) | ((rights & Rights.USER) != 0 ? user : 0);
    }

    /** The {@link Rights} that the leaf {@code spte} grants, with its memory type. */
    int rights(long spte) {
        int rights = (spte & Spte.WRITABLE) != 0 ? Rights.WRITE : 0;
        rights |= (spte & user) != 0 ? Rights.USER : 0;
        rights |= this == EPT ? Rights.memoryType(spte) : 0;
        return (spte & (executable | unexecutable)) == executable ? rights | Rights.EXEC : rights;
    }

    /** A leaf of {@code level} with {@code rights}. */
    long page(long pfn, int level, int rights) {
        long spte = pfn << 12 | present | accessed | (this == EPT ? Rights.leafType(rights) : 0);
        spte |= level > 1 ? Spte.LARGE : 0;
        spte |= rightsBits(rights) | ((rights & Rights.WRITE) != 0 ? dirty : 0);
        return spte | ((rights & Rights.EXEC) != 0 ? executable : unexecutable);
    }
}
