package org.penumbra.ept;

import org.penumbra.api.memory.DirtyLog;

/**
 * How writes are noticed for the dirty log: by the dirty flags that the processor sets, if they are enabled; else by write
 * protection, each first write to a frame being a violation.
 */
final class TdpDirty {
    private final TdpFormat format;
    private final DirtyLog log;
    private final boolean byFlags;

    TdpDirty(TdpFormat format, DirtyLog log, boolean byFlags) {
        this.format = format;
        this.log = log;
        this.byFlags = byFlags;
    }

    boolean logs(long gfn) {
        return log.logs(gfn);
    }

    /** May a leaf for {@code gfn} be writable that is made for an access which writes, or does not? */
    boolean mayBeWritable(long gfn, boolean write) {
        return byFlags || write || !log.logs(gfn);
    }

    /** A violation by a write was resolved; where there are flags, the write itself will set one. */
    void noticed(long gfn) {
        if (!byFlags) {
            log.mark(gfn);
        }
    }

    /**
     * {@code entry}, a leaf for {@code gfn}, is about to go or to lose its flag: what it knows is noted. Of a large leaf this need not be
     * all of its frames: while there is a log it is large only as long as each of them is in the log anyway.
     */
    void gone(long entry, long gfn) {
        if (byFlags && format.dirty(entry)) {
            log.mark(gfn);
        }
    }

    /** {@code entry} such that the next write is noticed. */
    long armed(long entry) {
        return byFlags ? entry & ~format.dirty : entry & ~TdpFormat.WRITE;
    }
}
