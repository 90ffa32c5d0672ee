package org.penumbra.devices.interrupt;

import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.IntPredicate;
import org.penumbra.api.interrupt.InterruptTarget;

/**
 * Which vCPUs of a machine have an interrupt to take, and who is to be told of one: gathered under the machine's lock, told after it was released.
 * {@link #pending} and {@link #tell} are for any thread, the rest is guarded by the lock.
 */
final class Readiness {
    private final InterruptTarget target;
    private final int vcpus;
    private final IntPredicate requested;
    private final AtomicIntegerArray ready;
    /** vCPUs for which an NMI came and is to be told, modulo 64. */
    private final AtomicLong nonMaskable = new AtomicLong();
    /** vCPUs that accepted something during this call, modulo 64. */
    private long accepted;

    /** @param requested whether something is requested of a vCPU that it could take; asked under the lock */
    Readiness(int vcpus, InterruptTarget target, IntPredicate requested) {
        this.vcpus = vcpus;
        this.target = target;
        this.requested = requested;
        ready = new AtomicIntegerArray(vcpus);
    }

    boolean pending(int vcpu) {
        return ready.get(vcpu) != 0;
    }

    /** Something came for {@code vcpu}. */
    void accepted(int vcpu) {
        accepted |= 1L << vcpu;
    }

    void nonMaskable(int vcpu) {
        nonMaskable.accumulateAndGet(1L << vcpu, (a, b) -> a | b);
    }

    /** Nobody has anything to take. */
    void clear() {
        for (int vcpu = 0; vcpu < vcpus; vcpu++) {
            ready.set(vcpu, 0);
        }
    }

    /** Looks at every vCPU, and takes those that are ready for such that accepted something. */
    void refreshAll() {
        for (int vcpu = 0; vcpu < vcpus; vcpu++) {
            if (refresh(vcpu)) {
                accepted(vcpu);
            }
        }
    }

    /**
     * Looks at those that accepted something.
     *
     * @return the vCPUs to kick, modulo 64
     */
    long refresh() {
        long kicks = 0;
        if (accepted != 0) {
            for (int vcpu = 0; vcpu < vcpus; vcpu++) {
                if ((accepted & 1L << vcpu) != 0 && refresh(vcpu)) {
                    kicks |= 1L << vcpu;
                }
            }
            accepted = 0;
        }
        return kicks;
    }

    boolean refresh(int vcpu) {
        boolean pending = requested.test(vcpu);
        int value = pending ? 1 : 0;
        if (ready.get(vcpu) != value) {
            ready.set(vcpu, value);
        }
        return pending;
    }

    /** Tells of NMIs, and kicks. One that is not ready any more has looked already, or shares its bit with another. */
    void tell(long kicks) {
        if (nonMaskable.get() != 0) {
            long told = nonMaskable.getAndSet(0);
            for (int vcpu = 0; vcpu < vcpus; vcpu++) {
                if ((told & 1L << vcpu) != 0) {
                    target.nonMaskable(vcpu);
                }
            }
        }
        if (kicks != 0) {
            for (int vcpu = 0; vcpu < vcpus; vcpu++) {
                if ((kicks & 1L << vcpu) != 0 && pending(vcpu)) {
                    target.kick(vcpu);
                }
            }
        }
    }
}
