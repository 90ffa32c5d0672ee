package org.penumbra.hardware.walk;

import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.paging.StageWalker;

/** Walks by a walker that a design brought: reads for it, counts, and keeps what it found. Results as {@link Walker} has them. */
final class OwnWalk implements StageWalker.Walk {
    private final PhysicalMemory memory;
    private final WalkMeter meter;
    private StageWalker walker;
    private int result;

    /** Raw rights of EPT, of the translation that was found. */
    long rights;
    /** hpa of its page. */
    long page;
    /** Its size as a power of two. */
    int shift;
    /** Memory references so far. */
    long references;

    OwnWalk(PhysicalMemory memory, WalkMeter meter) {
        this.memory = memory;
        this.meter = meter;
    }

    /** Walks for {@code gpa}; denied unless all bits of {@code needed} are in the rights. */
    int run(StageWalker by, long register, long gpa, long needed) {
        walker = by;
        result = Walker.NOT_PRESENT;
        rights = 0;
        try {
            by.walk(register, gpa, this);
        } catch (RuntimeException e) {
            // The same to whoever watches: a structure that the walker cannot read.
            result = Walker.MALFORMED;
        } finally {
            walker = null;
        }
        return result == Walker.DONE && (rights & needed) != needed ? Walker.DENIED : result;
    }

    @Override
    public long load(int level, long hpa) {
        references++;
        long entry = memory.load64(hpa);
        int served = meter.readAt(hpa);
        if (meter.listener != null) {
            meter.listener.referenced(walker.format(), true, level, hpa, hpa, entry, served);
        }
        return entry;
    }

    @Override
    public void found(long first, int size, long granted) {
        boolean possible = (size == 12 || size == 21 || size == 30) && (first & (1L << size) - 1) == 0;
        boolean readable = (granted & StageWalker.READ) != 0;
        result = possible && readable ? Walker.DONE : Walker.MALFORMED;
        page = first;
        shift = size;
        rights = granted;
    }

    @Override
    public void malformed() {
        result = Walker.MALFORMED;
    }
}
