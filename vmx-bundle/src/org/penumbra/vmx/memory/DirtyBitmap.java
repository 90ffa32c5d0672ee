package org.penumbra.vmx.memory;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.function.LongConsumer;
import java.util.function.Supplier;
import org.eclipse.collections.impl.list.mutable.primitive.LongArrayList;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.memory.DirtyLog;

/**
 * The dirty log: a bit per guest frame, in pieces that exist once a frame of theirs was written. Logs the slots that ask for it, or,
 * while it is {@link #activate on}, all. Any thread.
 *
 * <pre>
 *  gfn bits 39:27  index of a group of pieces
 *           26:15  index of the piece in it
 *           14:0   bit in the piece
 * </pre>
 */
public final class DirtyBitmap implements DirtyLog {
    private static final int PIECE_BITS = 15;
    private static final int GROUP_BITS = 12;
    private static final int GROUPS = 1 << HostMemory.GFN_BITS - GROUP_BITS - PIECE_BITS;
    private static final int WORDS = 1 << PIECE_BITS - 6;

    private final AtomicReferenceArray<AtomicReferenceArray<AtomicLongArray>> groups = new AtomicReferenceArray<>(GROUPS);
    /** No piece at or above this exists. */
    private final AtomicInteger end = new AtomicInteger();
    private volatile SlotSet slots;
    private volatile boolean all;
    /** A ring for each vCPU; empty while there are none. */
    private volatile DirtyRing[] rings = {};
    /** The ring of the vCPU that the thread does something for. */
    private final ThreadLocal<DirtyRing> running = new ThreadLocal<>();

    DirtyBitmap(SlotSet slots) {
        this.slots = slots;
    }

    /** The slots that say what is logged. */
    void slots(SlotSet now) {
        slots = now;
    }

    @Override
    public boolean active() {
        return all || slots.logging();
    }

    @Override
    public boolean logs(long gfn) {
        return all || slots.logs(gfn);
    }

    /** True while everything is logged, whatever the slots ask for. */
    public boolean activated() {
        return all;
    }

    /** Switches whether everything is logged. Frames of slots that are not logged any more leave the log. */
    public void activate(boolean on) {
        all = on;
        if (!on) {
            rings = new DirtyRing[0];
            forgetUnlogged();
        }
    }

    /** Frames that nobody wants to be logged leave the log. */
    void forgetUnlogged() {
        SlotSet now = slots;
        visit(0, Long.MAX_VALUE, (piece, word, first) -> {
            for (long bits = piece.get(word); bits != 0; bits &= bits - 1) {
                if (!all && !now.logs(first + Long.numberOfTrailingZeros(bits))) {
                    long gone = Long.lowestOneBit(bits);
                    piece.getAndUpdate(word, old -> old & ~gone);
                }
            }
        });
    }

    /** What vCPUs mark goes into {@code now} from here on, a ring for each. While no vCPU runs. */
    public void rings(DirtyRing[] now) {
        rings = now;
    }

    /** The rings, by vCPU; empty if there are none. */
    public DirtyRing[] rings() {
        return rings;
    }

    /** Does {@code work}, in which this thread marks on behalf of {@code vcpu}. KVM: kvm_get_running_vcpu. */
    public <T> T runFor(int vcpu, Supplier<T> work) {
        if (rings.length == 0) {
            return work.get();
        }
        running.set(rings[vcpu]);
        try {
            return work.get();
        } finally {
            running.remove();
        }
    }

    @Override
    public void mark(long gfn) {
        if (!logs(gfn) || gfn >>> HostMemory.GFN_BITS != 0) {
            return;
        }
        DirtyRing ring = rings.length == 0 ? null : running.get();
        if (ring != null && ring.push(gfn)) {
            return;
        }
        AtomicLongArray piece = piece(gfn);
        int word = (int) (gfn >>> 6) & WORDS - 1;
        long bit = 1L << (gfn & 63);
        if ((piece.get(word) & bit) == 0) {
            piece.getAndUpdate(word, old -> old | bit);
        }
    }

    /** Marks every gfn from {@code from} up to, not including, {@code to}. */
    public void markAll(long from, long to) {
        for (long gfn = from; gfn < to; gfn++) {
            mark(gfn);
        }
    }

    private AtomicLongArray piece(long gfn) {
        int g = (int) (gfn >>> GROUP_BITS + PIECE_BITS);
        AtomicReferenceArray<AtomicLongArray> group = groups.get(g);
        if (group == null) {
            groups.compareAndSet(g, null, new AtomicReferenceArray<>(1 << GROUP_BITS));
            group = groups.get(g);
        }
        int p = (int) (gfn >>> PIECE_BITS) & (1 << GROUP_BITS) - 1;
        AtomicLongArray piece = group.get(p);
        if (piece == null) {
            end.accumulateAndGet((int) (gfn >>> PIECE_BITS) + 1, Math::max);
            group.compareAndSet(p, null, new AtomicLongArray(WORDS));
            piece = group.get(p);
        }
        return piece;
    }

    private interface Visitor {
        void word(AtomicLongArray piece, int word, long firstGfn);
    }

    /** Every word that exists and has a bit of the gfns from {@code from} up to, not including, {@code to}. */
    private void visit(long from, long to, Visitor visitor) {
        for (long p = from >>> PIECE_BITS; p < end.get() && p << PIECE_BITS < to; p++) {
            AtomicReferenceArray<AtomicLongArray> group = groups.get((int) (p >>> GROUP_BITS));
            AtomicLongArray piece = group == null ? null : group.get((int) p & (1 << GROUP_BITS) - 1);
            long first = p << PIECE_BITS;
            int w = from <= first ? 0 : (int) (from - first) >>> 6;
            for (; piece != null && w < WORDS && first + 64L * w < to; w++) {
                visitor.word(piece, w, first + 64L * w);
            }
        }
    }

    /** Tells every marked gfn from {@code from} up to, not including, {@code to}, in ascending order, and unmarks it. */
    public void take(long from, long to, LongConsumer gfns) {
        visit(from, to, (piece, word, first) -> {
            long wanted = upFrom(from - first) & ~upFrom(to - first);
            for (long bits = piece.getAndUpdate(word, old -> old & ~wanted) & wanted; bits != 0; bits &= bits - 1) {
                gfns.accept(first + Long.numberOfTrailingZeros(bits));
            }
        });
    }

    /** Tells every marked gfn in ascending order. */
    public void tell(LongConsumer gfns) {
        visit(0, Long.MAX_VALUE, (piece, word, first) -> {
            for (long bits = piece.get(word); bits != 0; bits &= bits - 1) {
                gfns.accept(first + Long.numberOfTrailingZeros(bits));
            }
        });
    }

    /** The bits of a word from {@code bit}, which may lie before or behind it, upwards. */
    private static long upFrom(long bit) {
        return bit <= 0 ? -1 : bit >= 64 ? 0 : -1L << bit;
    }

    /** Writes for a snapshot what is logged beside what slots ask for, and the log. */
    public void save(DataOutput out) throws IOException {
        if (rings.length != 0) {
            throw new MachineException("the dirty log has rings, which somebody in this process reads; no snapshot can hold them");
        }
        out.writeBoolean(all);
        LongArrayList words = new LongArrayList();
        visit(0, Long.MAX_VALUE, (piece, word, first) -> {
            if (piece.get(word) != 0) {
                words.addAll(first, piece.get(word));
            }
        });
        out.writeInt(words.size());
        for (int i = 0; i < words.size(); i++) {
            out.writeLong(words.get(i));
        }
    }

    /** Takes the log of a snapshot; the slots are those of the snapshot already. */
    public void restore(DataInput in) throws IOException {
        all = in.readBoolean();
        for (int left = in.readInt(); left > 0; left -= 2) {
            long first = in.readLong();
            for (long bits = in.readLong(); bits != 0; bits &= bits - 1) {
                mark(first + Long.numberOfTrailingZeros(bits));
            }
        }
    }

    /** Number of marked frames. */
    public long count() {
        long[] n = {0};
        visit(0, Long.MAX_VALUE, (piece, word, first) -> n[0] += Long.bitCount(piece.get(word)));
        return n[0];
    }
}
