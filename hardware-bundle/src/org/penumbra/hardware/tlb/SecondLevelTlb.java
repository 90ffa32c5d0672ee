package org.penumbra.hardware.tlb;

import org.penumbra.api.cpu.TlbArray;
import org.penumbra.hardware.walk.PageTag;

/**
 * The second level as one kind of access sees it: an array that 4 KiB and 2 MiB pages share, tagged by {@link PageTag}, and where 1 GiB
 * pages are held: in the same array, in one of their own, or nowhere. One thread.
 */
final class SecondLevelTlb {
    /** Null while TLBs are functional: there is no second level. */
    final TlbArray shared;
    /** Holds 1 GiB pages: {@link #shared}, another array, or null. */
    final TlbArray huge;
    /** What the last {@link #find} that found something found it in. */
    TlbArray hit;
    /** A bit per page size that {@link #shared} may hold, as numbered by {@link PageTag}. */
    private int sizes;

    SecondLevelTlb(TlbArray shared, TlbArray huge) {
        this.shared = shared;
        this.huge = huge;
    }

    /** {@link TlbArray#hit} of a 4 KiB page in {@link #shared}. */
    int hitSmall(long gva, int context, int global, int access) {
        return (sizes & 1) == 0 ? TlbArray.NONE : shared.hit(PageTag.of(gva, 12), context, global, access);
    }

    /** Index in {@link #hit} of the translation of {@code gva} in {@code context} or {@code other}; −1 if there is none. */
    int find(long gva, int context, int other) {
        int i = (sizes & 1) == 0 ? -1 : shared.find(PageTag.of(gva, 12), context, other);
        if (i >= 0) {
            // The store of a reference costs more than the question.
            if (hit != shared) {
                hit = shared;
            }
            return i;
        }
        return sizes <= 1 && (huge == null || huge == shared || huge.isEmpty()) ? -1 : findLarge(gva, context, other);
    }

    private int findLarge(long gva, int context, int other) {
        int i = (sizes & 2) == 0 ? -1 : shared.find(PageTag.of(gva, 21), context, other);
        if (i >= 0) {
            hit = shared;
            return i;
        }
        boolean none = huge == null || (huge == shared ? (sizes & 4) == 0 : huge.isEmpty());
        if (!none) {
            i = huge.find(PageTag.of(gva, 30), context, other);
            hit = huge;
        }
        return i;
    }

    /** Caches a page of 2^{@code shift} bytes, if there is an array for its size. */
    void insert(long gva, int shift, int context, long frame, long rights, int allowed) {
        TlbArray array = shift == 30 ? huge : shared;
        if (array == null) {
            return;
        }
        if (array == shared) {
            sizes |= 1 << (shift - 12) / 9;
        }
        array.insert(PageTag.of(gva, shift), context, frame, rights, allowed);
    }

    /** Drops every entry that would be used for {@code gva} in {@code context}. */
    void drop(long gva, int context) {
        int i;
        while ((i = find(gva, context, context)) >= 0) {
            hit.drop(i);
        }
    }

    /** Notes that the arrays are empty. */
    void cleared() {
        sizes = 0;
    }
}
