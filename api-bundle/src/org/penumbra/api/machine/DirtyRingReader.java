package org.penumbra.api.machine;

import org.osgi.annotation.versioning.ConsumerType;

/** User space's side of the dirty rings of {@link DirtyLogControl#startRings}. */
@ConsumerType
public interface DirtyRingReader {
    /**
     * The ring of {@code vcpu} has reached its soft limit, and the vCPU stays out of the guest: it is asked again and again until
     * {@link DirtyLogControl#resetRings} has made room. Called by the thread that runs the vCPU, where every method of
     * {@link DirtyLogControl} may be called. KVM: {@code KVM_EXIT_DIRTY_RING_FULL}.
     */
    void full(int vcpu);

    /** What a harvest tells. */
    @FunctionalInterface
    interface Entries {
        /** {@code vcpu} has written to {@code gfn}; the same may be told twice. */
        void dirty(int vcpu, long gfn);
    }
}
