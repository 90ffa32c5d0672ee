package org.penumbra.kit.shadow;

import org.penumbra.api.clock.CycleClock;

/**
 * Write protection of the guest's tables where other tables than the shadow pages map them, too: those by which a guest hypervisor runs
 * while its EPT tables are shadowed. Called with the lock of {@link ShadowPaging} held alone; counted, since several shadow pages can
 * shadow one table.
 */
public interface TableProtection {
    /** For shadow pages that are all there is. */
    TableProtection NONE = new TableProtection() {
        @Override
        public void protect(long gfn, CycleClock clock) {
            // Nothing else maps it.
        }

        @Override
        public void release(long gfn) {
            // Nothing was done.
        }
    };

    /** On return nobody can write {@code gfn} without a fault, until it is released as often. Charged to {@code clock}. */
    void protect(long gfn, CycleClock clock);

    /** Takes one {@link #protect} of {@code gfn} back. */
    void release(long gfn);
}
