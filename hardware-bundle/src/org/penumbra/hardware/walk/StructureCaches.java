package org.penumbra.hardware.walk;

import java.util.function.Consumer;
import org.penumbra.api.cpu.FirstLevelTlb;
import org.penumbra.api.cpu.TlbArray;

/**
 * Paging-structure caches of one dimension (SDM vol. 3, "Caches for Paging Structures" and, for guest-physical mappings,
 * "Information That May Be Cached"): one array per level whose entries refer to tables. The
 * entry for level n holds the hpa of the table of level n − 1 and the rights combined down to level n. A level without an array
 * is not cached. One thread.
 */
public final class StructureCaches {
    private final TlbArray[] byLevel;
    private final boolean fromRoot;
    private final boolean none;

    /** Of the last hit: hpa of the next table. */
    long table;
    /** Of the last hit: rights combined so far. */
    long rights;

    /**
     * Empty caches.
     *
     * @param byLevel the array of level n at index n, or null
     * @param fromRoot whether a look-up goes level by level from the root and ends at the first that is not cached, instead of
     *     using the entry for the most address bits
     */
    public StructureCaches(TlbArray[] byLevel, boolean fromRoot) {
        this.byLevel = byLevel;
        this.fromRoot = fromRoot;
        boolean some = false;
        for (TlbArray array : byLevel) {
            some |= array != null;
        }
        none = !some;
    }

    /**
     * The lowest level with an entry for {@code address} that may be used, whose contents are now in the fields; 0 if there is none.
     *
     * @param format that of the tables which {@code context} is about: the levels at which an address is cut
     */
    int find(long address, int context, Format format) {
        if (none) {
            return 0;
        }
        if (fromRoot) {
            return findFromRoot(address, context, format);
        }
        for (int level = 2; level <= top(format); level++) {
            if (isCached(level, address, context, format)) {
                return level;
            }
        }
        return 0;
    }

    private int findFromRoot(long address, int context, Format format) {
        int lowest = 0;
        for (int level = top(format); level >= 2; level--) {
            if (byLevel[level] != null) {
                if (!isCached(level, address, context, format)) {
                    break;
                }
                lowest = level;
            }
        }
        return lowest;
    }

    /** Whether {@code level} has an entry for {@code address}; if so, its contents are now in the fields. */
    private boolean isCached(int level, long address, int context, Format format) {
        TlbArray array = byLevel[level];
        int i = array == null || array.isEmpty() ? -1 : array.find(FirstLevelTlb.page(address, format.shift[level]), context);
        if (i >= 0) {
            table = array.frame(i);
            rights = array.rights(i);
        }
        return i >= 0;
    }

    void insert(int level, long address, int context, Format format, long nextTable, long combined) {
        TlbArray array = level < byLevel.length ? byLevel[level] : null;
        if (array != null) {
            array.insert(FirstLevelTlb.page(address, format.shift[level]), context, nextTable, combined, 0);
        }
    }

    /** True if nothing is ever cached. */
    boolean isNone() {
        return none;
    }

    /** Drops every entry of {@code context} that would be used to translate {@code address}. */
    public void dropUsed(long address, int context, Format format) {
        for (int level = 2; level <= top(format); level++) {
            TlbArray array = byLevel[level];
            int i = array == null ? -1 : array.find(FirstLevelTlb.page(address, format.shift[level]), context);
            if (i >= 0) {
                array.drop(i);
            }
        }
    }

    private int top(Format format) {
        return Math.min(byLevel.length - 1, format.levels());
    }

    /** Shows each array. */
    public void forEach(Consumer<TlbArray> action) {
        for (TlbArray array : byLevel) {
            if (array != null) {
                action.accept(array);
            }
        }
    }
}
