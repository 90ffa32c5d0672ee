package org.penumbra.vmx.memory;

import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.function.LongConsumer;
import org.penumbra.api.memory.DirtyLog;

/** The dirty log: a bit per guest frame, in pieces that exist once a frame of theirs was written. Any thread. */
public final class DirtyBitmap implements DirtyLog {
    private static final int PIECE_BITS = 15;
    private static final int WORDS = 1 << PIECE_BITS - 6;

    private final AtomicReferenceArray<AtomicLongArray> pieces;
    private volatile boolean active;

    DirtyBitmap(long frames) {
        pieces = new AtomicReferenceArray<>((int) (frames + (1 << PIECE_BITS) - 1 >>> PIECE_BITS));
    }

    @Override
    public boolean active() {
        return active;
    }

    /** Switches the log; switched off, it is empty. */
    public void activate(boolean on) {
        active = on;
        if (!on) {
            for (int i = 0; i < pieces.length(); i++) {
                pieces.set(i, null);
            }
        }
    }

    @Override
    public void mark(long gfn) {
        if (!active) {
            return;
        }
        AtomicLongArray piece = piece((int) (gfn >>> PIECE_BITS));
        int word = (int) (gfn >>> 6) & WORDS - 1;
        long bit = 1L << (gfn & 63);
        if ((piece.get(word) & bit) == 0) {
            piece.getAndUpdate(word, old -> old | bit);
        }
    }

    private AtomicLongArray piece(int i) {
        AtomicLongArray piece = pieces.get(i);
        if (piece == null) {
            pieces.compareAndSet(i, null, new AtomicLongArray(WORDS));
            piece = pieces.get(i);
        }
        return piece;
    }

    /** Tells every marked gfn in ascending order and unmarks it. */
    public void take(LongConsumer gfns) {
        for (int i = 0; i < pieces.length(); i++) {
            AtomicLongArray piece = pieces.get(i);
            for (int word = 0; piece != null && word < WORDS; word++) {
                for (long bits = piece.getAndSet(word, 0); bits != 0; bits &= bits - 1) {
                    gfns.accept(((long) i << PIECE_BITS) + ((long) word << 6) + Long.numberOfTrailingZeros(bits));
                }
            }
        }
    }

    /** Number of marked frames. */
    public long count() {
        long n = 0;
        for (int i = 0; i < pieces.length(); i++) {
            AtomicLongArray piece = pieces.get(i);
            for (int word = 0; piece != null && word < WORDS; word++) {
                n += Long.bitCount(piece.get(word));
            }
        }
        return n;
    }
}
