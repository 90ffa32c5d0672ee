package org.penumbra.vmx.memory;

import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.clock.Work;
import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.memory.GuestMemoryException;
import org.penumbra.api.memory.MemorySlot;

/** Guest memory through the slots of one machine, charged to one clock, as long as the fence is open. */
final class GuestMemoryView implements GuestMemory {
    private final HostMemory host;
    private final CycleClock clock;
    private final Fence fence;

    GuestMemoryView(HostMemory host, CycleClock clock, Fence fence) {
        this.host = host;
        this.clock = clock;
        this.fence = fence;
    }

    @Override
    public long pfn(long gfn, boolean write) {
        fence.check();
        clock.charge(Work.SLOT_LOOKUP);
        return host.pfn(gfn, write);
    }

    @Override
    public boolean writable(long gfn) {
        return host.writable(gfn);
    }

    @Override
    public long current(long gfn) {
        clock.charge(Work.SLOT_LOOKUP);
        return host.current(gfn);
    }

    @Override
    public long sequence() {
        return host.invalidations.sequence();
    }

    @Override
    public boolean retry(long since, long gfn) {
        return host.invalidations.retry(since, gfn);
    }

    @Override
    public int mappingLevel(long gfn) {
        clock.charge(Work.SLOT_LOOKUP);
        return host.mappingLevel(gfn);
    }

    @Override
    public long generation() {
        return host.generation();
    }

    @Override
    public long load(long gpa, int width) {
        charge(Work.LOAD);
        return host.at(hva(gpa, false), false, fence, hpa -> host.physical().load(hpa, width));
    }

    @Override
    public void store(long gpa, int width, long value) {
        charge(Work.STORE);
        host.at(hva(gpa, true), true, fence, hpa -> {
            host.physical().store(hpa, width, value);
            host.dirty().mark(gpa >>> 12);
            return 0;
        });
    }

    @Override
    public boolean compareAndSet(long gpa, long expected, long value) {
        charge(Work.COMPARE_AND_SET);
        long hva = hva(gpa, false);
        if (host.slot(gpa >>> 12, true) == null) {
            return host.at(hva, false, fence, hpa -> host.physical().load64(hpa)) == expected;
        }
        return host.at(hva, true, fence, hpa -> {
            if (!host.compareAndSet(hpa, expected, value)) {
                return 0;
            }
            host.dirty().mark(gpa >>> 12);
            return 1;
        }) != 0;
    }

    private void charge(Work work) {
        clock.charge(Work.SLOT_LOOKUP);
        clock.charge(work);
    }

    private long hva(long gpa, boolean write) {
        MemorySlot slot = host.slot(gpa >>> 12, write);
        if (slot == null) {
            throw new GuestMemoryException(gpa);
        }
        return slot.hvaOf(gpa >>> 12) | gpa & 0xfff;
    }
}
