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
    private final int[] shift;

    /** Of the last hit: hpa of the next table. */
    long table;
    /** Of the last hit: rights combined so far. */
    long rights;

    /** @param byLevel the array of level n at index n, or null */
    public StructureCaches(Format format, TlbArray[] byLevel) {
        this.byLevel = byLevel;
        shift = new int[byLevel.length];
        for (int level = 1; level < byLevel.length; level++) {
            shift[level] = format.row(level).shift();
        }
    }

    /** The lowest level with an entry for {@code address}, whose contents are now in the fields; 0 if there is none. */
    int find(long address, int context) {
        for (int level = 2; level < byLevel.length; level++) {
            TlbArray array = byLevel[level];
            int i = array == null ? -1 : array.find(FirstLevelTlb.page(address, shift[level]), context);
            if (i >= 0) {
                table = array.frame[i];
                rights = array.rights[i];
                return level;
            }
        }
        return 0;
    }

    void insert(int level, long address, int context, long nextTable, long combined) {
        TlbArray array = level < byLevel.length ? byLevel[level] : null;
        if (array != null) {
            array.insert(FirstLevelTlb.page(address, shift[level]), context, nextTable, combined, 0);
        }
    }

    /** Drops every entry of {@code context} that would be used to translate {@code address}. */
    public void dropUsed(long address, int context) {
        for (int level = 2; level < byLevel.length; level++) {
            TlbArray array = byLevel[level];
            int i = array == null ? -1 : array.find(FirstLevelTlb.page(address, shift[level]), context);
            if (i >= 0) {
                array.drop(i);
            }
        }
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
