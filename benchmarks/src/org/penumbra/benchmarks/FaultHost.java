package org.penumbra.benchmarks;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.memory.DirtyLog;
import org.penumbra.api.memory.FrameAccess;
import org.penumbra.api.memory.FrameLease;
import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.memory.WriteTracking;
import org.penumbra.api.mmu.MmuFactory;
import org.penumbra.api.mmu.MmuHost;
import org.penumbra.api.observe.Counters;
import org.penumbra.api.observe.Tracing;

/**
 * As much of a virtual machine as an MMU needs to serve faults, for any number of threads: guest memory from gpa 0 at the same physical
 * addresses, a lease above it. It does next to nothing itself, so that what is measured is the MMU.
 */
final class FaultHost implements MmuHost, FrameLease, WriteTracking, DirtyLog {
    final PhysicalMemory memory = new PhysicalMemory(1L << 36);
    private final long guestFrames;
    private final AtomicLong next;
    private final Counters counters = new Counters();
    final Tracing tracing = new Tracing();
    private final Map<String, String> settings = new ConcurrentHashMap<>();

    FaultHost(MmuFactory factory, long guestFrames) {
        this.guestFrames = guestFrames;
        this.next = new AtomicLong(guestFrames);
        factory.settings().forEach(s -> settings.put(s.key(), s.defaultValue()));
    }

    void choose(String key, String value) {
        settings.put(key, value);
    }

    @Override
    public FrameLease lease() {
        return this;
    }

    @Override
    public WriteTracking writeTracking() {
        return this;
    }

    @Override
    public DirtyLog dirtyLog() {
        return this;
    }

    @Override
    public int physicalAddressBits() {
        return 46;
    }

    @Override
    public int linearAddressBits() {
        return 48;
    }

    @Override
    public long guestFrames() {
        return guestFrames;
    }

    @Override
    public Tracing.Tracer tracer(CycleClock clock) {
        return tracing.tracer(0, clock::total, () -> 0);
    }

    @Override
    public Counters counters() {
        return counters;
    }

    @Override
    public String setting(String key) {
        return settings.get(key);
    }

    @Override
    public void flushRemoteTlbs(CycleClock clock) {
        // Nobody has a TLB.
    }

    @Override
    public long allocate(CycleClock clock) {
        return next.getAndIncrement() << 12;
    }

    @Override
    public long allocateBlock(CycleClock clock) {
        long frames = 512;
        long first = next.getAndUpdate(frame -> (frame + frames - 1 & -frames) + frames);
        return (first + frames - 1 & -frames) << 12;
    }

    @Override
    public void free(long hpa) {
        memory.clearFrame(hpa);
    }

    @Override
    public long frames() {
        return next.get() - guestFrames;
    }

    @Override
    public FrameAccess access(CycleClock clock) {
        return new FrameAccess() {
            @Override
            public long load(long hpa) {
                return memory.load64(hpa);
            }

            @Override
            public void store(long hpa, long value) {
                memory.store64(hpa, value);
            }

            @Override
            public boolean compareAndSet(long hpa, long expected, long value) {
                return memory.compareAndSet64(hpa, expected, value);
            }
        };
    }

    @Override
    public GuestMemory guestMemory(CycleClock clock) {
        return new GuestMemory() {
            @Override
            public long pfn(long gfn, boolean write) {
                return current(gfn);
            }

            @Override
            public boolean writable(long gfn) {
                return true;
            }

            @Override
            public long current(long gfn) {
                return gfn < guestFrames ? gfn : NO_SLOT;
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
                return 1;
            }

            @Override
            public long load(long gpa, int width) {
                return memory.load(gpa, width);
            }

            @Override
            public void store(long gpa, int width, long value) {
                memory.store(gpa, width, value);
            }

            @Override
            public boolean compareAndSet(long gpa, long expected, long value) {
                return memory.compareAndSet64(gpa, expected, value);
            }
        };
    }

    @Override
    public boolean isTracked(long gfn) {
        return false;
    }

    @Override
    public boolean anyTracked(long firstGfn, long count) {
        return false;
    }

    @Override
    public Request track(long gfn, Listener listener) {
        throw new UnsupportedOperationException();
    }

    @Override
    public boolean active() {
        return false;
    }

    @Override
    public void mark(long gfn) {
        // Nothing is logged.
    }
}
