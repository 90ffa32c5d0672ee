package org.penumbra.vmx.memory;

import java.util.function.BooleanSupplier;
import java.util.function.LongConsumer;
import org.eclipse.collections.impl.map.mutable.primitive.LongIntHashMap;
import org.penumbra.api.memory.PhysicalMemory;

/**
 * What the host's memory management does to guest pages: fault in, swap out, migrate, merge, collapse, split. Everything that takes a
 * frame away goes through the notifier first, with the sequence that turns back faults which raced. One event at a time. An event
 * concerns pages of the host address space, and thereby every guest frame that shows one of them.
 *
 * <p>Events take turns by a token and not by a lock, because an event can be stuck in an MMU, and is given up then.
 *
 * <p>The swap device is a part of physical memory that no guest and no MMU has, so that a page in swap still has an address.
 */
public final class HostEvents {
    private static final long PAGE = PhysicalMemory.FRAME_BYTES;
    private static final long LARGE_PAGE = HostAddressSpace.PAGES * PAGE;

    private final HostMemory memory;
    /** Pages that share a frame, by pfn. */
    private final LongIntHashMap sharers = new LongIntHashMap();
    private Notifier notifier;
    /** Whose event it is. */
    private Thread turn;
    private int depth;

    HostEvents(HostMemory memory) {
        this.memory = memory;
    }

    /** Sets who is told. Before the guest runs. */
    public void notify(Notifier whom) {
        notifier = whom;
    }

    /** See {@link org.penumbra.api.machine.HostPages#frames}. */
    public long frames() {
        return memory.slots().endGfn();
    }

    /** Tells every guest frame that shows the page which {@code gfn} shows, itself included; none if no slot has it. */
    public void aliases(long gfn, LongConsumer gfns) {
        long hva = memory.hva(gfn);
        if (hva >= 0) {
            each(hva, PAGE, gfns);
        }
    }

    private void each(long hva, long bytes, LongConsumer gfns) {
        memory.slots().showing(hva, bytes, (first, n) -> {
            for (long gfn = first; gfn < first + n; gfn++) {
                gfns.accept(gfn);
            }
        });
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
        long hva = memory.hva(gfn);
        return hva >= 0 && event(hva, hva, this::dropSplitting, () -> {
            HostAddressSpace space = memory.space;
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
        long hva = memory.hva(gfn);
        long otherHva = memory.hva(other);
        return hva >= 0 && otherHva >= 0 && hva != otherHva && event(hva, otherHva, this::dropSplitting, () -> {
            HostAddressSpace space = memory.space;
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

    /** See {@link org.penumbra.api.machine.HostPages#collapse}. */
    public boolean collapse(long gfn) {
        long hva = memory.hva(gfn);
        long base = hva & -LARGE_PAGE;
        boolean done = hva >= 0 && event(base, base, this::dropLarge, () -> collapsible(base) && gather(base));
        if (done) {
            each(base, LARGE_PAGE, notifier::moved);
        }
        return done;
    }

    private boolean collapsible(long base) {
        boolean used = false;
        for (long hva = base; hva < base + LARGE_PAGE; hva += PAGE) {
            if (memory.space.shared(hva)) {
                return false;
            }
            used |= memory.space.frame(hva) >= 0;
        }
        return used && !memory.space.large(base);
    }

    private boolean gather(long base) {
        long first = memory.pool.allocateBlock(FramePool.GUEST);
        if (first < 0) {
            return false;
        }
        for (int i = 0; i < HostAddressSpace.PAGES; i++) {
            long from = memory.space.frame(base + i * PAGE);
            if (from >= 0) {
                copyTo(from, first + i);
                memory.pool.free(from);
            }
        }
        memory.space.placeBlock(base, first);
        return true;
    }

    /** See {@link org.penumbra.api.machine.HostPages#split}. */
    public boolean split(long gfn) {
        long hva = memory.hva(gfn);
        return hva >= 0 && event(hva, hva, this::dropLarge, () -> {
            if (!memory.space.large(hva) || memory.space.frame(hva) < 0) {
                return false;
            }
            memory.space.split(hva);
            return true;
        });
    }

    /** Makes the page at {@code hva} usable: there, in memory, and not shared if {@code write}. */
    void faultIn(long hva, boolean write) {
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
            each(hva, PAGE, notifier::moved);
        }
        if (write) {
            unshare(hva);
        }
    }

    private void provide(long hva) {
        long first = memory.space.large(hva) ? memory.pool.allocateBlock(FramePool.GUEST) : -1;
        if (first >= 0) {
            memory.space.placeBlock(hva, first);
        } else {
            // Of 2 MiB nothing is left in one piece: the host goes on with 4 KiB.
            memory.space.split(hva);
            memory.space.place(hva, memory.pool.allocate(FramePool.GUEST), false, false);
        }
    }

    /** Gives the page at {@code hva} a frame of its own again: copy on write. */
    private void unshare(long hva) {
        event(hva, hva, this::dropSplitting, () -> {
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
     * One event for one or two pages: announced, translations dropped by {@code drop}, frames changed, over. KVM's
     * {@code mmu_notifier_invalidate_range_start} and {@code _end}; with two pages the range covers both, as KVM's does.
     */
    private boolean event(long hva, long other, LongConsumer drop, BooleanSupplier change) {
        begin();
        long[] range = {Long.MAX_VALUE, 0};
        cover(range, hva);
        cover(range, other);
        memory.invalidations.begin(range[0], range[1]);
        boolean changed = false;
        try {
            drop.accept(hva);
            if (other != hva) {
                drop.accept(other);
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
            each(hva, PAGE, notifier::moved);
            if (other != hva) {
                each(other, PAGE, notifier::moved);
            }
        }
        return changed;
    }

    /** Widens {@code range} so that it has every guest frame that shows a part of the 2 MiB around {@code hva}. */
    private void cover(long[] range, long hva) {
        memory.slots().showing(hva & -LARGE_PAGE, LARGE_PAGE, (gfn, n) -> {
            range[0] = Math.min(range[0], gfn);
            range[1] = Math.max(range[1], gfn + n);
        });
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

    /** The page at {@code hva} is to change. A large host page around it is split: all that it maps has to be mapped anew, by 4 KiB. */
    private void dropSplitting(long hva) {
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
        if (large) {
            dropLarge(hva);
        } else {
            memory.slots().showing(hva, PAGE, notifier::invalidate);
        }
    }

    /** All 2 MiB around {@code hva} are to change. */
    private void dropLarge(long hva) {
        memory.slots().showing(hva & -LARGE_PAGE, LARGE_PAGE, notifier::invalidate);
    }

    private long copy(long from, byte owner) {
        long to = memory.pool.allocate(owner);
        copyTo(from, to);
        return to;
    }

    private void copyTo(long from, long to) {
        for (int i = 0; i < PhysicalMemory.FRAME_BYTES; i += 8) {
            long value = memory.physical().load64((from << 12) + i);
            if (value != 0) {
                memory.physical().store64((to << 12) + i, value);
            }
        }
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
