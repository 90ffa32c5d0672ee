package org.penumbra.vmx.memory;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import org.eclipse.collections.impl.set.mutable.primitive.LongHashSet;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.clock.Work;
import org.penumbra.api.memory.FrameAccess;
import org.penumbra.api.memory.FrameLease;
import org.penumbra.api.memory.LeaseException;
import org.penumbra.api.memory.PhysicalMemory;

/** The lease of one MMU: it reaches the frames it allocated and, once revoked, nothing. */
public final class Lease implements FrameLease {
    private final PhysicalMemory memory;
    private final FramePool pool;
    private final byte number;
    private final Fence fence = new Fence();
    private final LongHashSet held = new LongHashSet();
    private final List<Access> handles = new CopyOnWriteArrayList<>();
    private long allocated;
    private boolean over;

    /** @param number its own, among the leases whose frames may still be held */
    Lease(PhysicalMemory memory, FramePool pool, byte number) {
        this.memory = memory;
        this.pool = pool;
        this.number = number;
    }

    @Override
    public synchronized long allocate(CycleClock clock) {
        fence.check();
        long pfn = pool.allocate(number);
        held.add(pfn);
        allocated++;
        clock.charge(Work.FRAME);
        return pfn << 12;
    }

    @Override
    public synchronized long allocateBlock(CycleClock clock) {
        fence.check();
        long first = pool.allocateBlock(number);
        if (first < 0) {
            throw LeaseException.exhausted("host memory has no 2 MiB in one piece");
        }
        for (long pfn = first; pfn < first + FramePool.BLOCK; pfn++) {
            held.add(pfn);
        }
        allocated += FramePool.BLOCK;
        clock.charge(Work.FRAME, FramePool.BLOCK);
        return first << 12;
    }

    @Override
    public synchronized void free(long hpa) {
        fence.check();
        if (!held.remove(hpa >>> 12)) {
            throw new LeaseException(String.format("frame 0x%x was given back and is not held under the lease", hpa));
        }
        pool.free(hpa >>> 12);
    }

    @Override
    public synchronized long frames() {
        return held.size();
    }

    /** Frames allocated so far, given back or not. */
    public synchronized long allocated() {
        return allocated;
    }

    /** True if the frame at {@code hpa} is held under this lease. */
    public boolean holds(long hpa) {
        return pool.owner(hpa >>> 12) == number;
    }

    /** The fence that shuts with this lease, for the other handles of the same MMU. */
    public Fence fence() {
        return fence;
    }

    @Override
    public FrameAccess access(CycleClock clock) {
        for (Access handle : handles) {
            if (handle.clock == clock) {
                return handle;
            }
        }
        Access handle = new Access(clock);
        handles.add(handle);
        return handle;
    }

    /** Refuses every later use of a handle; a store that has begun is done when this returns. The frames are still held. */
    public void revoke() {
        fence.shut();
        handles.forEach(Access::awaitStores);
    }

    /** Gives every frame back, once: after {@link #revoke}, when no processor can reach them any more. */
    public synchronized void release() {
        if (!over) {
            over = true;
            held.forEach(pool::free);
            held.clear();
        }
    }

    private final class Access implements FrameAccess {
        private final CycleClock clock;
        /** Stores that are past the check and not done. A late load does no harm; a late store would, in a frame of somebody else. */
        private final AtomicInteger stores = new AtomicInteger();

        Access(CycleClock clock) {
            this.clock = clock;
        }

        @Override
        public long load(long hpa) {
            check(hpa);
            clock.charge(Work.LOAD);
            return memory.load64(hpa);
        }

        @Override
        public void store(long hpa, long value) {
            stores.getAndIncrement();
            try {
                check(hpa);
                clock.charge(Work.STORE);
                memory.store64(hpa, value);
            } finally {
                stores.getAndDecrement();
            }
        }

        @Override
        public boolean compareAndSet(long hpa, long expected, long value) {
            stores.getAndIncrement();
            try {
                check(hpa);
                clock.charge(Work.COMPARE_AND_SET);
                return memory.compareAndSet64(hpa, expected, value);
            } finally {
                stores.getAndDecrement();
            }
        }

        void awaitStores() {
            while (stores.get() != 0) {
                Thread.onSpinWait();
            }
        }

        private void check(long hpa) {
            fence.check();
            if (!holds(hpa) || (hpa & 7) != 0) {
                throw new LeaseException(String.format("physical address 0x%x is not an entry in a frame of the lease", hpa));
            }
        }
    }
}
