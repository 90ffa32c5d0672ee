package org.penumbra.api.paging;

import org.osgi.annotation.versioning.ConsumerType;
import org.osgi.annotation.versioning.ProviderType;

/**
 * Hardware that a design brings with it: what the entries mean of tables of its own that linear addresses are translated through, and at
 * which of them the walk goes over to the guest's own tables, with the second dimension under each of their addresses. It is part of the
 * processor: without state, nothing charged but the references that the processor makes. Called by every vCPU at once.
 *
 * <p>Tables have 512 entries of 8 bytes and as many levels as the guest's 4- or 5-level paging; in other paging modes the processor walks
 * the guest's tables alone. TLBs, paging-structure caches (of both kinds of tables) and what invalidates them are the processor's, by VPID,
 * PCID and EPT root. Accessed and dirty flags there are none in the design's tables; in the guest's they are kept.
 *
 * <p>Where the design's tables have nothing, or do not allow the access, that is an intercepted page fault for the MMU, whatever
 * {@link org.penumbra.api.mmu.ControlDemand} says: {@code gva} and an error code. What the guest's tables refuse is the guest's own fault,
 * what the second dimension refuses an EPT violation.
 */
@ConsumerType
public interface LinearWalker {
    /** Right to write; this and the next ones are where paging-structure entries have them. */
    long WRITE = 1 << 1;
    /** The address is a user-mode one. */
    long USER = 1 << 2;
    /** Of a page: with CR4.PGE it is cached for every PCID, as a global page of the guest's tables is. */
    long GLOBAL = 1 << 8;
    /** Takes the right to execute away. */
    long EXECUTE_DISABLE = 1L << 63;

    /** What an entry may mean. With no call nothing is there; what is misaligned, thrown, or not possible on the level is a reserved bit. */
    @ProviderType
    interface Meaning {
        /** The design's table of the next level, at {@code hpa}. On every level but 1. */
        void table(long hpa);

        /** A page at {@code hpa}, of 4 KiB, 2 MiB or 1 GiB on level 1, 2, 3, with exactly the rights in {@code rights}. */
        void page(long hpa, long rights);

        /**
         * The guest's own table of the next level, whose frame is at {@code hpa}: from there on the walk is one of two dimensions. On every
         * level but 1.
         *
         * @param rights those of the guest's entries that were left out
         * @param flags the processor may set accessed and dirty flags in it; if it has to and may not, the walk ends as where nothing is
         */
        void guestTable(long hpa, long rights, boolean flags);
    }

    /** How people read its entries. */
    EntryFormat format();

    /** Says what {@code entry} of {@code level} means. */
    void read(int level, long entry, Meaning meaning);
}
