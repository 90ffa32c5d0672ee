package org.penumbra.devices.descriptor;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.penumbra.api.interrupt.Waiter;

/**
 * The wait queue of a descriptor. It has no lock of its own: the descriptor calls it under its lock, except for {@link #wake},
 * which is called without. Between the two the entries are held by their gates, so that none can be closed after its consumer's
 * count was read and before its waiter was called.
 */
final class WaitQueue {
    /** One registration. */
    static final class Entry {
        private final Waiter waiter;
        private final boolean consumer;
        private final CallGate gate = new CallGate();

        private Entry(Waiter waiter, boolean consumer) {
            this.waiter = waiter;
            this.consumer = consumer;
        }

        /** Returns when the waiter is not being called any more; the entry has been removed. */
        void drain() {
            gate.close();
        }
    }

    private static final Entry[] NONE = {};

    /** Never changed in place: {@link #begin} hands it out. */
    private Entry[] entries = NONE;
    private int consumers;

    Entry add(Waiter waiter, boolean consumer) {
        Entry entry = new Entry(waiter, consumer);
        entries = Arrays.copyOf(entries, entries.length + 1);
        entries[entries.length - 1] = entry;
        consumers += consumer ? 1 : 0;
        return entry;
    }

    /** False if the entry is not there any more. */
    boolean remove(Entry entry) {
        List<Entry> rest = new ArrayList<>(Arrays.asList(entries));
        if (!rest.remove(entry)) {
            return false;
        }
        entries = rest.toArray(NONE);
        consumers -= entry.consumer ? 1 : 0;
        return true;
    }

    void clear() {
        entries = NONE;
        consumers = 0;
    }

    /** How many of the waiters consume. */
    int consumers() {
        return consumers;
    }

    /** Starts a wake-up: the result must be given to {@link #wake}. */
    Entry[] begin() {
        for (Entry e : entries) {
            e.gate.enter();
        }
        return entries;
    }

    /** Calls all waiters of a wake-up, whatever they throw, and throws the first of it. */
    static void wake(Entry[] entries, int events) {
        RuntimeException failure = null;
        for (Entry e : entries) {
            try {
                e.waiter.wake(events);
            } catch (RuntimeException x) {
                failure = failure == null ? x : failure;
            } finally {
                e.gate.leave();
            }
        }
        if (failure != null) {
            throw failure;
        }
    }
}
