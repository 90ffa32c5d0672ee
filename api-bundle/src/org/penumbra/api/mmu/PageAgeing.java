package org.penumbra.api.mmu;

import org.osgi.annotation.versioning.ConsumerType;
import org.penumbra.api.clock.CycleClock;

/**
 * An ability of an {@link Mmu}: it knows which guest frames were accessed through its translations, from accessed flags that the
 * processor sets, or, without them, because a translation that was taken away is there again. An access that a TLB serves sets no
 * flag, so what is told is a lower bound. Any thread, vCPUs running.
 */
@ConsumerType
public interface PageAgeing {
    /**
     * True if one of the {@code frames} guest frames from {@code gfn} was accessed since the last call for it, which is forgotten.
     * TLBs are flushed then, so that the next access is noticed. KVM: {@code kvm_age_gfn} under
     * {@code mmu_notifier_clear_flush_young}.
     *
     * @param clock charged for the work
     */
    boolean age(long gfn, long frames, CycleClock clock);

    /** The same without forgetting. KVM: {@code kvm_test_age_gfn}. */
    boolean testAge(long gfn, long frames, CycleClock clock);
}
