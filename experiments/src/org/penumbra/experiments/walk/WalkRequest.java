package org.penumbra.experiments.walk;

import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.experiments.run.Design;
import org.penumbra.experiments.run.RefusedException;

/**
 * One access to be looked at.
 *
 * @param gva where
 * @param mode the guest's paging mode
 * @param page the size of the page by which the guest maps {@code gva}
 * @param access an {@link org.penumbra.api.paging.Access} kind
 * @param design the MMU, or none
 * @param hardware the processor model
 */
public record WalkRequest(long gva, PagingMode mode, PageSize page, int access, Design design, CostProfile hardware) {
    private static final long MEMORY = 64L << 20;
    /** A page of 1 GiB that is not the tables' own, and its neighbour. */
    private static final long MEMORY_OF_HUGE_PAGES = 3L << 30;

    /** @throws RefusedException if there is no such access */
    public WalkRequest {
        if (!PageSize.of(mode).contains(page)) {
            throw new RefusedException("--page: mode '" + mode.label() + "' has no pages of " + page.label() + "; it has "
                    + String.join(", ", PageSize.of(mode).stream().map(PageSize::label).toList()));
        }
        if (!mode.holds(gva)) {
            throw new RefusedException(mode.isLong()
                    ? String.format("--gva: 0x%x is not canonical under mode '%s'; bits 63:%d are copies of bit %d, so write up to 0x%x, "
                            + "or 0x%x and above", gva, mode.label(), mode.linearBits(), mode.linearBits() - 1,
                            (1L << mode.linearBits() - 1) - 1, -1L << mode.linearBits() - 1)
                    : String.format("--gva: 0x%x has more than 32 bits, and mode '%s' has addresses up to 0xffffffff", gva, mode.label()));
        }
        if (mode == PagingMode.NONE && gva >= MEMORY) {
            throw new RefusedException(String.format("--gva: 0x%x lies outside what is mapped; without paging that is the guest's memory, "
                    + "0 to 0x%x", gva, MEMORY - 1));
        }
    }

    /** The page next to that of {@link #gva}, translated by the same last table. */
    long neighbour() {
        return gva ^ page.bytes();
    }

    /** Guest-physical memory of the machine. */
    long memoryBytes() {
        return page == PageSize.HUGE ? MEMORY_OF_HUGE_PAGES : MEMORY;
    }
}
