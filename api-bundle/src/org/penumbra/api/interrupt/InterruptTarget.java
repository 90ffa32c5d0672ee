package org.penumbra.api.interrupt;

import org.osgi.annotation.versioning.ConsumerType;

/** The vCPUs that interrupts go to: implemented by the machine. */
@ConsumerType
@FunctionalInterface
public interface InterruptTarget {
    /**
     * {@code vcpu} may have something to take: {@link Interrupts#pending} had become or was true. Called by the thread that
     * signalled, which can be the vCPU's own, without locks, and possibly after the vCPU has already taken it. It must leave the
     * guest or wake from a halt and look; it must not block.
     */
    void kick(int vcpu);

    /** A non-maskable interrupt is to be delivered to {@code vcpu}. As {@link #kick}; several before it is delivered fall together. */
    default void nonMaskable(int vcpu) {}
}
