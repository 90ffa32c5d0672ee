package org.penumbra.api.observe;

import org.osgi.annotation.versioning.ConsumerType;

/** Hears what trace points tell. Called on the thread that passes one, perhaps under locks: it must not call the machine. */
@ConsumerType
@FunctionalInterface
public interface TraceListener {
    /**
     * {@code point} was passed.
     *
     * @param vcpu number of the vCPU whose work it is, −1 for the host's
     * @param cycles simulated cycles on its clock
     * @param operations operations that it has retired; 0 for the host
     * @param a the first field of the point, {@code b} to {@code f} the others; without meaning where it has fewer
     */
    void passed(TracePoint point, int vcpu, long cycles, long operations, long a, long b, long c, long d, long e, long f);
}
