package org.penumbra.api.snapshot;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import org.osgi.annotation.versioning.ConsumerType;

/**
 * Something of a machine whose state is a value, and goes into snapshots: an ability, found by type. Both methods are called while nothing of the
 * machine runs.
 */
@ConsumerType
public interface Saved {
    /**
     * Writes the whole state. What others hold (guest memory, lines of an interrupt controller) and what belongs to users of this process
     * (events, listeners) is no part of it.
     *
     * @throws org.penumbra.api.machine.MachineException with a line for the user, if it cannot be saved now
     */
    void save(DataOutput out) throws IOException;

    /**
     * Takes the state that {@link #save} has written, in a machine that has run nothing yet. Reads exactly what was written. Timers are set anew,
     * for the times for which they were set.
     *
     * @throws IllegalArgumentException if these are no values of such a state
     */
    void restore(DataInput in) throws IOException;
}
