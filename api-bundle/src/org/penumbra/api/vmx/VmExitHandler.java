package org.penumbra.api.vmx;

import org.osgi.annotation.versioning.ConsumerType;

/**
 * Handles the exits of one reason. A whiteboard service: property {@link #EXIT_REASON} names the reasons, the highest
 * {@code service.ranking} wins, and a replacement takes effect at the next exit. Holds no state of a guest: all of it is in the
 * {@link Vcpu}. Called by the thread of the vCPU that exited; several vCPUs may call at once.
 */
@ConsumerType
@FunctionalInterface
public interface VmExitHandler {
    /** Service property: names of {@link ExitReason}s, a string or an array of strings. */
    String EXIT_REASON = "exit.reason";

    /**
     * Handles {@code exit} of {@code vcpu}. On RESUME the guest repeats the operation unless the handler skipped or completed
     * it. Work is charged through the handles of {@code vcpu}.
     */
    Disposition handle(Vcpu vcpu, ExitRecord exit);
}
