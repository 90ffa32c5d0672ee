package org.penumbra.benchmarks;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Threads;
import org.openjdk.jmh.annotations.Warmup;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.mmu.Mmu;
import org.penumbra.api.mmu.MmuContext;
import org.penumbra.api.mmu.MmuContextHost;
import org.penumbra.api.mmu.MmuFactory;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.EptViolation;
import org.penumbra.api.paging.PagingState;
import org.penumbra.ept.EptMmuFactory;
import org.penumbra.hardware.profile.JsonCostProfiles;
import org.penumbra.shadow.ShadowMmuFactory;

/**
 * Faults that one MMU serves while 1, 2, 4 and 8 vCPUs have them at once. A shot is a new MMU, and of each vCPU a first touch of 64 Ki pages
 * by a read: it asks for its root, as before an entry, and has the fault resolved. The guest's tables are there and have their accessed
 * flags. The score is the time of one fault as its vCPU sees it.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 30)
@Measurement(iterations = 30)
@Fork(2)
public class FaultBenchmark {
    private static final int PAGES = 1 << 16;
    private static final int TABLES = PAGES / 512;
    private static final int MOST_THREADS = 8;
    private static final long BASE = 0x40_0000_0000L;
    private static final long FIRST_TABLE = 16;
    private static final long FIRST_PAGE = 4096;
    private static final long GUEST_FRAMES = FIRST_PAGE + (long) MOST_THREADS * PAGES;
    private static final long TABLE_BITS = 1 | 2 | 4 | 1 << 5;
    private static final long ADDRESS = 0x000f_ffff_ffff_f000L;

    /** shadow-single-lock is shadow with {@code shadow.single-lock=on}. */
    @Param({"shadow", "shadow-single-lock", "ept"})
    public String design;

    /** Whether the vCPUs run one address space or each its own; under EPT it makes no difference. */
    @Param({"own", "shared"})
    public String space;

    private FaultHost host;
    private Mmu mmu;
    private AtomicInteger vcpus;
    private long nextTable;

    @Setup(Level.Iteration)
    public void machine() {
        MmuFactory factory = design.equals("ept") ? new EptMmuFactory() : new ShadowMmuFactory();
        host = new FaultHost(factory, GUEST_FRAMES);
        if (design.equals("shadow-single-lock")) {
            host.choose("shadow.single-lock", "on");
        }
        mmu = factory.create(host);
        vcpus = new AtomicInteger();
        nextTable = FIRST_TABLE;
        long common = nextTable++;
        for (int t = 0; t < MOST_THREADS; t++) {
            long root = space.equals("shared") ? common : nextTable++;
            for (int i = 0; i < PAGES; i++) {
                map(root << 12, gva(t, i), FIRST_PAGE + (long) t * PAGES + i);
            }
        }
    }

    private static long gva(int thread, int page) {
        return BASE + ((long) thread * PAGES + page << 12);
    }

    private long root(int thread) {
        // A root of one's own stands before the tables below it.
        return space.equals("shared") ? FIRST_TABLE : FIRST_TABLE + 1 + (3L + TABLES) * thread;
    }

    private void map(long root, long gva, long gfn) {
        long table = root;
        for (int level = 4; level > 1; level--) {
            long at = table + 8 * (gva >>> 12 + 9 * (level - 1) & 511);
            if (host.memory.load64(at) == 0) {
                host.memory.store64(at, nextTable++ << 12 | TABLE_BITS);
            }
            table = host.memory.load64(at) & ADDRESS;
        }
        host.memory.store64(table + 8 * (gva >>> 12 & 511), gfn << 12 | TABLE_BITS | 1 << 6);
    }

    /** One vCPU. */
    @State(Scope.Thread)
    public static class Vcpu implements MmuContextHost {
        private final CycleClock clock = new CycleClock(
                new JsonCostProfiles().all().stream().filter(p -> p.name().equals("skylake")).findFirst().orElseThrow());
        private final MmuFault fault = new MmuFault();
        private MmuContext context;
        private int number;

        @Setup(Level.Iteration)
        public void start(FaultBenchmark benchmark) {
            number = benchmark.vcpus.getAndIncrement();
            context = benchmark.mmu.newContext(this);
            context.load(PagingState.longMode(benchmark.root(number) << 12), false);
        }

        /** The first touch of all pages; the answer to the last. */
        Resolution touch() {
            Resolution last = null;
            for (int i = 0; i < PAGES; i++) {
                last = touch(i);
            }
            if (last != Resolution.RETRY) {
                throw new IllegalStateException("a fault was answered with " + last);
            }
            return last;
        }

        private Resolution touch(int page) {
            context.root();
            fault.gva = gva(number, page);
            fault.gpa = FIRST_PAGE + (long) number * PAGES + page << 12;
            fault.access = Access.USER | Access.READ;
            fault.qualification = EptViolation.READ;
            fault.errorCode = 4;
            return context.resolve(fault);
        }

        @Override
        public int vcpu() {
            return number;
        }

        @Override
        public CycleClock clock() {
            return clock;
        }

        @Override
        public void flushPage(long gva) {
            // No TLB.
        }

        @Override
        public void flushAll() {
            // No TLB.
        }
    }

    @Benchmark
    @Threads(1)
    @OperationsPerInvocation(PAGES)
    public Resolution vcpus1(Vcpu vcpu) {
        return vcpu.touch();
    }

    @Benchmark
    @Threads(2)
    @OperationsPerInvocation(PAGES)
    public Resolution vcpus2(Vcpu vcpu) {
        return vcpu.touch();
    }

    @Benchmark
    @Threads(4)
    @OperationsPerInvocation(PAGES)
    public Resolution vcpus4(Vcpu vcpu) {
        return vcpu.touch();
    }

    @Benchmark
    @Threads(8)
    @OperationsPerInvocation(PAGES)
    public Resolution vcpus8(Vcpu vcpu) {
        return vcpu.touch();
    }
}
