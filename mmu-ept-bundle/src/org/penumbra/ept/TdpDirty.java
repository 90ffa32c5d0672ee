package org.penumbra.ept;

import org.penumbra.api.memory.DirtyLog;

/** How writes are noticed for the dirty log. */
final class TdpDirty {
    /** The ways there are. */
    enum Means {
        /** The processor sets dirty flags, and harvesting looks for them. */
        FLAGS,
        /** The processor sets dirty flags and logs each that it sets (SDM vol. 3, "Page-Modification Logging"). */
        PML,
        /** Each first write to a frame is a violation. */
        PROTECTION
    }

    final boolean eager;
    private final TdpFormat format;
    private final DirtyLog log;
    private final Means means;

    TdpDirty(TdpFormat format, DirtyLog log, TdpSettings settings) {
        this.format = format;
        this.log = log;
        this.means = settings.dirtyLog();
        this.eager = settings.eagerPageSplit();
    }

    boolean logs(long gfn) {
        return log.logs(gfn);
    }

    /** True if the processor logs what it finds. */
    boolean byProcessor() {
        return means == Means.PML;
    }

    /** May a leaf for {@code gfn} be writable that is made for an access which writes, or does not? */
    boolean mayBeWritable(long gfn, boolean write) {
        return means != Means.PROTECTION || write || !log.logs(gfn);
    }

    /** A violation by a write was resolved; where there are flags, the write itself will set one. */
    void noticed(long gfn) {
        if (means == Means.PROTECTION) {
            log.mark(gfn);
        }
    }

    /**
     * {@code entry}, a leaf for {@code gfn}, is about to go or to lose its flag: what it knows is noted, unless the processor has logged it.
     * Of a large leaf this need not be all of its frames: while there is a log it is large and writable only as long as each of them is in
     * the log anyway.
     */
    void gone(long entry, long gfn) {
        if (means == Means.FLAGS && format.dirty(entry)) {
            log.mark(gfn);
        }
    }

    /** {@code entry}, a leaf of 4 KiB, such that the next write is noticed. */
    long armed(long entry) {
        return entry & ~(means == Means.PROTECTION ? TdpFormat.WRITE | TdpFormat.SUB_PAGES : format.dirty);
    }

    /** {@code entry}, a larger leaf, such that the next write is a violation, which splits it. */
    long armedLarge(long entry) {
        return entry & ~TdpFormat.WRITE & ~format.dirty;
    }
}
