package org.penumbra.vmx.memory;

import java.util.function.BooleanSupplier;
import org.eclipse.collections.impl.map.mutable.primitive.LongIntHashMap;
import org.penumbra.api.memory.PhysicalMemory;

/**
 * What the host's memory management does to guest pages: fault in, swap out, migrate, merge. Everything that takes a frame away goes
 * through the notifier first, with the sequence that turns back faults which raced. One event at a time.
 *
 * <p>Events take turns by a token and not by a lock, because an event can be stuck in an MMU, and is given up then.
 *
 * <p>The swap device is a part of physical memory that no guest and no MMU has, so that a page in swap still has an address.
 */
public final class HostEvents {
    private final HostMemory memory;
    private final long frames;
    /** Pages that share a frame, by pfn. */
    private final LongIntHashMap sharers = new LongIntHashMap();
    private Notifier notifier;
    /** Whose event it is. */
    private Thread turn;
    private int depth;

    HostEvents(HostMemory memory, long frames) {
        this.memory = memory;
        this.frames = frames;
    }

    /** Sets who is told. Before the guest runs. */
    public void notify(Notifier whom) {
        notifier = whom;
    }

    /** Number of guest frames. */
    public long frames() {
        return frames;
    }

    /** Events so far. */
    public long count() {
        return memory.invalidations.sequence();
    }

    /** True if an event is going on now, for which faults have to be retried. */
    public boolean active() {
        return memory.invalidations.active();
    }

    /** See {@link org.penumbra.api.machine.HostPages#swapOut}. */
    public boolean swapOut(long gfn) {
        return move(gfn, true);
    }

    /** See {@link org.penumbra.api.machine.HostPages#migrate}. */
    public boolean migrate(long gfn) {
        return move(gfn, false);
    }

    private boolean move(long gfn, boolean toSwap) {
        return event(gfn, gfn, () -> {
            HostAddressSpace space = memory.space;
            long hva = memory.hva(gfn);
            if (!space.usable(hva, true)) {
                return false;
            }
            long from = space.frame(hva);
            space.place(hva, copy(from, toSwap ? FramePool.SWAP : FramePool.GUEST), false, toSwap);
            memory.pool.free(from);
            return true;
        });
    }

    /** See {@link org.penumbra.api.machine.HostPages#merge}. */
    public boolean merge(long gfn, long other) {
        return gfn != other && event(gfn, other, () -> {
            HostAddressSpace space = memory.space;
            long hva = memory.hva(gfn);
            long otherHva = memory.hva(other);
            if (!space.usable(hva, false) || !space.usable(otherHva, false)) {
                return false;
            }
            long kept = space.frame(hva);
            long gone = space.frame(otherHva);
            if (kept == gone || !equal(kept, gone)) {
                return false;
            }
            sharers.put(kept, sharers.getIfAbsent(kept, 1) + 1);
            space.place(hva, kept, true, false);
            leave(otherHva);
            space.place(otherHva, kept, true, false);
            return true;
        });
    }

    /** Makes {@code gfn} usable: there, in memory, and not shared if {@code write}. */
    void faultIn(long gfn, boolean write) {
        long hva = memory.hva(gfn);
        boolean arrived = false;
        memory.pages.writeLock().lock();
        try {
            if (memory.space.frame(hva) < 0) {
                provide(hva);
            } else if (memory.space.swapped(hva)) {
                long from = memory.space.frame(hva);
                memory.space.place(hva, copy(from, FramePool.GUEST), false, false);
                memory.pool.free(from);
                arrived = true;
            }
            write &= memory.space.shared(hva);
        } finally {
            memory.pages.writeLock().unlock();
        }
        if (arrived) {
            notifier.moved(gfn);
        }
        if (write) {
            unshare(gfn);
        }
    }

    private void provide(long hva) {
        if (memory.space.large(hva)) {
            long first = memory.pool.allocateBlock(FramePool.GUEST);
            long base = hva & -(1L << 21);
            for (int i = 0; i < 512; i++) {
                memory.space.place(base + ((long) i << 12), first + i, false, false);
            }
        } else {
            memory.space.place(hva, memory.pool.allocate(FramePool.GUEST), false, false);
        }
    }

    /** Gives {@code gfn} a frame of its own again: copy on write. */
    private void unshare(long gfn) {
        event(gfn, gfn, () -> {
            long hva = memory.hva(gfn);
            if (!memory.space.shared(hva)) {
                return false;
            }
            long common = memory.space.frame(hva);
            boolean last = sharers.get(common) == 1;
            memory.space.place(hva, last ? common : copy(common, FramePool.GUEST), false, false);
            if (last) {
                sharers.remove(common);
            } else {
                sharers.put(common, sharers.get(common) - 1);
            }
            return true;
        });
    }

    /** The page at {@code hva} is about to lie elsewhere: its frame has one user less. */
    private void leave(long hva) {
        long pfn = memory.space.frame(hva);
        int users = sharers.getIfAbsent(pfn, 1) - 1;
        if (users == 0) {
            sharers.remove(pfn);
            memory.pool.free(pfn);
        } else {
            sharers.put(pfn, users);
        }
    }

    /**
     * One event for one or two frames: announced, translations dropped, frames changed, over. KVM's
     * {@code mmu_notifier_invalidate_range_start} and {@code _end}; with two frames the range covers both, as KVM's does.
     */
    private boolean event(long gfn, long other, BooleanSupplier change) {
        long low = Math.min(gfn, other);
        long high = Math.max(gfn, other);
        if (low < 0 || high >= frames) {
            return false;
        }
        begin();
        memory.invalidations.begin(low & -512L, (high | 511) + 1);
        boolean changed = false;
        try {
            invalidate(gfn);
            if (other != gfn) {
                invalidate(other);
            }
            memory.pages.writeLock().lock();
            try {
                changed = mine() && change.getAsBoolean();
            } finally {
                memory.pages.writeLock().unlock();
            }
        } finally {
            finish();
        }
        if (changed) {
            notifier.moved(gfn);
            if (other != gfn) {
                notifier.moved(other);
            }
        }
        return changed;
    }

    private synchronized void begin() {
        boolean interrupted = false;
        while (turn != null && turn != Thread.currentThread()) {
            try {
                wait();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        turn = Thread.currentThread();
        depth++;
    }

    private synchronized void finish() {
        if (turn != Thread.currentThread()) {
            return;
        }
        if (--depth == 0) {
            memory.invalidations.end();
            turn = null;
            notifyAll();
        }
    }

    private synchronized boolean mine() {
        return turn == Thread.currentThread();
    }

    /** Gives up the event of {@code thread}, which is stuck in the notifier: it will change nothing when it comes back. */
    public synchronized void abandon(Thread thread) {
        if (turn == thread) {
            memory.invalidations.end();
            turn = null;
            depth = 0;
            notifyAll();
        }
    }

    /** A large host page is split by the event: all that it maps has to be mapped anew, by 4 KiB. */
    private void invalidate(long gfn) {
        long hva = memory.hva(gfn);
        memory.pages.writeLock().lock();
        boolean large;
        try {
            large = memory.space.large(hva);
            if (large) {
                memory.space.split(hva);
            }
        } finally {
            memory.pages.writeLock().unlock();
        }
        notifier.invalidate(large ? gfn & -512L : gfn, large ? 512 : 1);
    }

    private long copy(long from, byte owner) {
        long to = memory.pool.allocate(owner);
        for (int i = 0; i < PhysicalMemory.FRAME_BYTES; i += 8) {
            long value = memory.physical().load64((from << 12) + i);
            if (value != 0) {
                memory.physical().store64((to << 12) + i, value);
            }
        }
        return to;
    }

    private boolean equal(long a, long b) {
        for (int i = 0; i < PhysicalMemory.FRAME_BYTES; i += 8) {
            if (memory.physical().load64((a << 12) + i) != memory.physical().load64((b << 12) + i)) {
                return false;
            }
        }
        return true;
    }
}
