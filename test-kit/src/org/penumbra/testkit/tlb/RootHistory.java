package org.penumbra.testkit.tlb;

import java.util.Arrays;

/**
 * The address spaces that one vCPU had in CR3: PCID, top-level table, from when to when. An address space that comes back keeps
 * its first time of arrival. Of more than 1024 the one that was left first is forgotten.
 */
final class RootHistory {
    private static final int LIMIT = 1024;

    private final int[] pcid = new int[LIMIT];
    private final long[] root = new long[LIMIT];
    private final long[] from = new long[LIMIT];
    private final long[] to = new long[LIMIT];
    private int count;

    int size() {
        return count;
    }

    int pcid(int n) {
        return pcid[n];
    }

    long root(int n) {
        return root[n];
    }

    long from(int n) {
        return from[n];
    }

    long to(int n) {
        return to[n];
    }

    /** gpas of the top-level tables. */
    long[] roots() {
        return Arrays.copyOf(root, count);
    }

    /** CR3 names no table any more: it holds another one, or paging is off. */
    void leave(long time) {
        for (int i = 0; i < count; i++) {
            to[i] = Math.min(to[i], time);
        }
    }

    /** CR3 names {@code table} under {@code id} from {@code time} on; {@link #leave} was called before. */
    void enter(int id, long table, long time) {
        int i = 0;
        while (i < count && (pcid[i] != id || root[i] != table)) {
            i++;
        }
        if (i == count) {
            i = count < LIMIT ? count++ : leftFirst();
            pcid[i] = id;
            root[i] = table;
            from[i] = time;
        }
        to[i] = WatchedTable.NEVER;
    }

    /** Forgets those that were left before {@code times} says that everything that came through them was dropped. */
    void forget(InvalidationTimes times, boolean globals) {
        int kept = 0;
        for (int i = 0; i < count; i++) {
            if (to[i] > (globals ? times.sinceAll() : times.sinceAddressSpace(pcid[i]))) {
                pcid[kept] = pcid[i];
                root[kept] = root[i];
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
