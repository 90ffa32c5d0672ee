package org.penumbra.vmx.memory;

import org.eclipse.collections.impl.set.mutable.primitive.LongHashSet;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.clock.Work;
import org.penumbra.api.memory.FrameAccess;
import org.penumbra.api.memory.FrameLease;
import org.penumbra.api.memory.LeaseException;
import org.penumbra.api.memory.PhysicalMemory;

/** The lease of one MMU: it reaches the frames it allocated and, once revoked, nothing. */
final class Lease implements FrameLease {
    private final PhysicalMemory memory;
    private final FramePool pool;
    private final byte number;
    private final LongHashSet held = new LongHashSet();
    private volatile boolean revoked;

    /** @param number its own, among the leases whose frames may still be held */
    Lease(PhysicalMemory memory, FramePool pool, byte number) {
        this.memory = memory;
        this.pool = pool;
        this.number = number;
    }

    @Override
    public synchronized long allocate(CycleClock clock) {
        if (revoked) {
            throw new LeaseException("a frame was asked for under a revoked lease");
        }
        long pfn = pool.allocate(number);
        held.add(pfn);
        clock.charge(Work.FRAME);
        return pfn << 12;
    }

    @Override
    public synchronized void free(long hpa) {
        if (!held.remove(hpa >>> 12)) {
            throw new LeaseException(String.format("frame 0x%x was given back and is not held under the lease", hpa));
        }
        pool.free(hpa >>> 12);
    }

    @Override
    public synchronized long frames() {
        return held.size();
    }

    @Override
    public FrameAccess access(CycleClock clock) {
        return new Access(clock);
    }

    /** Ends the lease: every frame goes back, every later access is refused. */
    synchronized void revoke() {
        revoked = true;
        held.forEach(pool::free);
        held.clear();
    }

    private final class Access implements FrameAccess {
        private final CycleClock clock;

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
            check(hpa);
            clock.charge(Work.STORE);
            memory.store64(hpa, value);
        }

        @Override
        public boolean compareAndSet(long hpa, long expected, long value) {
            check(hpa);
            clock.charge(Work.COMPARE_AND_SET);
            return memory.compareAndSet64(hpa, expected, value);
        }

        private void check(long hpa) {
            if (revoked || pool.owner(hpa >>> 12) != number || (hpa & 7) != 0) {
                throw new LeaseException(String.format("physical address 0x%x is not an entry in a frame of the lease%s", hpa, revoked ? ", which is revoked" : ""));
            }
        }
    }
}
