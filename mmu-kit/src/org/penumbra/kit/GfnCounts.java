package org.penumbra.kit;

import org.eclipse.collections.impl.map.mutable.primitive.LongIntHashMap;

/** A count per guest frame (or per larger page, numbered by the caller) that costs memory only where it is not 0. */
public final class GfnCounts {
    private final LongIntHashMap counts = new LongIntHashMap();

    public int get(long gfn) {
        return counts.get(gfn);
    }

    /** How many counts are not 0. */
    public int size() {
        return counts.size();
    }

    /** Adds {@code delta} and answers the new count, which must not become negative. */
    public int add(long gfn, int delta) {
        int now = counts.addToValue(gfn, delta);
        if (now < 0) {
            throw new IllegalStateException(String.format("count of gfn 0x%x became %d", gfn, now));
        }
        if (now == 0) {
            counts.remove(gfn);
        }
        return now;
    }
}
