package org.penumbra.api.interrupt;

import org.osgi.annotation.versioning.ConsumerType;

/**
 * A course of time that timers run on. Its units are its own: a machine counts retired guest operations, so that its timers are
 * deterministic. Implemented by whoever has a time; called by any thread, also from actions.
 */
@ConsumerType
public interface Timeline {
    /** The time now; not negative, never falls. */
    long now();

    /**
     * Runs {@code action} once when the time is {@code time} or later, as soon as the timeline can if that is past. Never inside
     * this call, and never while the timeline holds a lock of its own. Actions due at the same time run in the order in which
     * they were registered. An action that is due sees {@link #now} at or after {@code time}.
     *
     * @return to be closed when the action is not wanted any more; unlike other registrations it need not wait for an action
     *     that has begun on another thread
     */
    Registration at(long time, Runnable action);
}
