package org.penumbra.vmx.memory;

import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.clock.Work;
import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.memory.GuestMemoryException;
import org.penumbra.api.memory.MemorySlot;
import org.penumbra.api.memory.PhysicalMemory;

/** Guest memory through the slots of one machine, charged to one clock. */
final class GuestMemoryView implements GuestMemory {
    private final HostMemory host;
    private final PhysicalMemory memory;
    private final CycleClock clock;

    GuestMemoryView(HostMemory host, CycleClock clock) {
        this.host = host;
        this.memory = host.physical();
        this.clock = clock;
    }

    @Override
    public long pfn(long gfn) {
        clock.charge(Work.SLOT_LOOKUP);
        return host.pfn(gfn);
    }

    @Override
    public int mappingLevel(long gfn) {
        clock.charge(Work.SLOT_LOOKUP);
        MemorySlot slot = host.slot(gfn);
        return slot == null ? 0 : host.mappingLevel(slot, gfn);
    }

    @Override
    public long load(long gpa, int width) {
        long hpa = hpa(gpa);
        clock.charge(Work.LOAD);
        return memory.load(hpa, width);
    }

    @Override
    public void store(long gpa, int width, long value) {
        long hpa = hpa(gpa);
        clock.charge(Work.STORE);
        memory.store(hpa, width, value);
    }

    @Override
    public boolean compareAndSet(long gpa, long expected, long value) {
        long hpa = hpa(gpa);
        clock.charge(Work.COMPARE_AND_SET);
        return memory.compareAndSet64(hpa, expected, value);
    }

    private long hpa(long gpa) {
        long pfn = pfn(gpa >>> 12);
        if (pfn == NO_SLOT) {
            throw new GuestMemoryException(gpa);
        }
        return pfn << 12 | gpa & 0xfff;
    }
}
