package org.penumbra.kit;

import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.memory.GuestMemoryException;
import org.penumbra.api.memory.PhysicalMemory;

/** Guest memory that is the physical memory, with room for a race in compareAndSet. */
final class FlatGuestMemory implements GuestMemory {
    private final PhysicalMemory memory;
    /** So many compare-and-sets lose against somebody who sets bit 9. */
    int swallowed;

    FlatGuestMemory(PhysicalMemory memory) {
        this.memory = memory;
    }

    @Override
    public long pfn(long gfn, boolean write) {
        return gfn;
    }

    @Override
    public boolean writable(long gfn) {
        return true;
    }

    @Override
    public long current(long gfn) {
        return gfn;
    }

    @Override
    public long sequence() {
        return 0;
    }

    @Override
    public boolean retry(long since, long gfn) {
        return false;
    }

    @Override
    public int mappingLevel(long gfn) {
        return gfn < memory.bytes() >>> 12 ? 1 : 0;
    }

    @Override
    public long load(long gpa, int width) {
        if (gpa >= memory.bytes()) {
            throw new GuestMemoryException(gpa);
        }
        return memory.load(gpa, width);
    }

    @Override
    public void store(long gpa, int width, long value) {
        memory.store(gpa, width, value);
    }

    @Override
    public boolean compareAndSet(long gpa, long expected, long value) {
        if (swallowed > 0) {
            swallowed--;
            memory.store64(gpa, expected | 1L << 9);
            return false;
        }
        return memory.compareAndSet64(gpa, expected, value);
    }
}
