package org.penumbra.testkit.tlb;

import java.util.function.ToLongFunction;

/**
 * The address spaces that one vCPU had in its registers, from when to when. One that comes back keeps its first time of arrival.
 * Of more than 1024 the one that was left first is forgotten.
 */
final class RootHistory {
    private static final int LIMIT = 1024;

    private final AddressSpace[] space = new AddressSpace[LIMIT];
    private final long[] from = new long[LIMIT];
    private final long[] to = new long[LIMIT];
    private int count;

    int size() {
        return count;
    }

    AddressSpace space(int n) {
        return space[n];
    }

    long from(int n) {
        return from[n];
    }

    long to(int n) {
        return to[n];
    }

    /** No address space is in the registers any more: they hold another one, or paging is off. */
    void leave(long time) {
        for (int i = 0; i < count; i++) {
            to[i] = Math.min(to[i], time);
        }
    }

    /** {@code entered} is in the registers from {@code time} on; {@link #leave} was called before. */
    void enter(AddressSpace entered, long time) {
        int i = 0;
        while (i < count && !space[i].equals(entered)) {
            i++;
        }
        if (i == count) {
            i = count < LIMIT ? count++ : leftFirst();
            space[i] = entered;
            from[i] = time;
        }
        to[i] = WatchedTable.NEVER;
    }

    /** Forgets those that were left before {@code since} says that everything that came through them was dropped. */
    void forget(ToLongFunction<AddressSpace> since) {
        int kept = 0;
        for (int i = 0; i < count; i++) {
            if (to[i] > since.applyAsLong(space[i])) {
                space[kept] = space[i];
                from[kept] = from[i];
                to[kept++] = to[i];
            }
        }
        count = kept;
    }

    private int leftFirst() {
        int first = 0;
        for (int i = 1; i < count; i++) {
            first = to[i] < to[first] ? i : first;
        }
        return first;
    }
}
