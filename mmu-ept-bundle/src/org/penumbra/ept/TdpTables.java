package org.penumbra.ept;

import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;

/** The tables of the tree below its root: how many there are, and those of 4 KiB leaves in the order in which they may be given up. Any thread. */
final class TdpTables {
    private final AtomicLong count = new AtomicLong();
    /** First gfns of the 2 MiB that a table maps by 4 KiB; some may have gone. Guarded by itself. */
    private final Set<Long> leafTables = new LinkedHashSet<>();

    /** A table of {@code level} was put into the tree for {@code gfn}. */
    void made(int level, long gfn) {
        count.incrementAndGet();
        if (level == 1) {
            synchronized (leafTables) {
                leafTables.add(gfn & -512L);
            }
        }
    }

    /** {@code tables} tables are in the tree no longer. */
    void gone(int tables) {
        count.addAndGet(-tables);
    }

    /** How many there are. */
    long count() {
        return count.get();
    }

    /** Takes the one out that has been there longest; −1 if there is none. */
    long takeOldest() {
        synchronized (leafTables) {
            Iterator<Long> oldest = leafTables.iterator();
            if (!oldest.hasNext()) {
                return -1;
            }
            long gfn = oldest.next();
            oldest.remove();
            return gfn;
        }
    }

    /** The one for {@code gfn} is the last to be given up. */
    void putBack(long gfn) {
        synchronized (leafTables) {
            leafTables.add(gfn);
        }
    }

    /** How many of 4 KiB leaves there are at most. */
    int leafTables() {
        synchronized (leafTables) {
            return leafTables.size();
        }
    }
}
