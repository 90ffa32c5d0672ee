package org.penumbra.benchmarks;

import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;
import org.penumbra.api.cpu.TranslationStatistics;

/**
 * An access through {@link org.penumbra.api.cpu.MemoryPort}, as every engine makes it, that ends in one place of the translation
 * hardware each time: first level, second level, a walk of 4 references, a walk of 24. Beside each stands its ceiling,
 * {@link PlainLoads}. <em>independent</em>: the addresses come from an array, so the host may work on several accesses at once;
 * <em>dependent</em>: each address is what the access before has read.
 *
 * <p>After each iteration the counters must say that every access ended where it was to end.
 */
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@OperationsPerInvocation(TranslationBenchmark.ACCESSES)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "-XX:+UseSerialGC")
public class TranslationBenchmark {
    /** Accesses of one call. */
    static final int ACCESSES = 4096;

    private static final String[] STRUCTURE_CACHES = {
        "paging-structure-cache.pde.entries", "paging-structure-cache.pdpte.entries", "paging-structure-cache.pml4e.entries",
        "ept-paging-structure-cache.pde.entries", "ept-paging-structure-cache.pdpte.entries", "ept-paging-structure-cache.pml4e.entries",
        "nested-tlb.entries",
    };
    private static final String DATA_CACHES = "data-cache.model";

    /** A guest and where its accesses end. */
    @State(Scope.Thread)
    public abstract static class Stream {
        Guest guest;
        PlainLoads plain;
        long[] gvas;
        private long accesses;
        private long misses;
        private TranslationStatistics before;

        abstract Guest guest();

        /** References of a walk to the guest's tables and to EPT; 0 if the accesses make no walk. */
        abstract int guestReferences();

        abstract int hostReferences();

        /** Whether the accesses miss in the first level. */
        abstract boolean missFirst();

        @Setup(Level.Trial)
        public void boot() {
            guest = guest();
            gvas = guest.gvas;
            plain = new PlainLoads(guest);
            accesses = guest.port.accesses();
            misses = guest.port.misses();
            before = guest.cpu.statistics();
        }

        @TearDown(Level.Iteration)
        public void check() {
            TranslationStatistics now = guest.cpu.statistics();
            long made = guest.port.accesses() - accesses;
            long missed = missFirst() ? made : 0;
            long walks = guestReferences() > 0 ? made : 0;
            expect("first-level misses", guest.port.misses() - misses, missed);
            expect("walks", now.walks() - before.walks(), walks);
            expect("completed walks", now.completedWalks() - before.completedWalks(), walks);
            expect("second-level hits", now.secondLevelHits() - before.secondLevelHits(), missed - walks);
            expect("guest references", now.guestReferences() - before.guestReferences(), walks * guestReferences());
            expect("host references", now.hostReferences() - before.hostReferences(), walks * hostReferences());
        }

        private static void expect(String what, long number, long expected) {
            if (number != expected) {
                throw new IllegalStateException("the benchmark does not measure what it says: " + number + " " + what + ", not " + expected);
            }
        }
    }

    /** 32 pages, which the first level of 64 entries holds. */
    public static class FirstLevel extends Stream {
        @Override
        Guest guest() {
            return new Guest(32, true);
        }

        @Override
        int guestReferences() {
            return 0;
        }

        @Override
        int hostReferences() {
            return 0;
        }

        @Override
        boolean missFirst() {
            return false;
        }
    }

    /** 1024 pages, each used again after all others: never in the first level, always in the second of 1536 entries. */
    public static class SecondLevel extends FirstLevel {
        @Override
        Guest guest() {
            return new Guest(1024, true);
        }

        @Override
        boolean missFirst() {
            return true;
        }
    }

    /** 4096 pages, each used again after all others, so never in a TLB; no paging-structure caches. Their tables fit the host's caches. */
    public static class Walk4 extends SecondLevel {
        @Override
        Guest guest() {
            return new Guest(4096, false, STRUCTURE_CACHES);
        }

        @Override
        int guestReferences() {
            return 4;
        }
    }

    /** The same on EPT, without nested TLB: (4 + 1)(4 + 1) − 1 references. */
    public static class Walk24 extends Walk4 {
        @Override
        Guest guest() {
            return new Guest(4096, true, STRUCTURE_CACHES);
        }

        @Override
        int hostReferences() {
            return 20;
        }
    }

    /** The same without the model of the data caches that serve the references: each has one price. */
    public static class Walk24Flat extends Walk24 {
        @Override
        Guest guest() {
            return new Guest(4096, true, and(STRUCTURE_CACHES, DATA_CACHES));
        }
    }

    @Benchmark
    public long firstLevelIndependent(FirstLevel s) {
        return independent(s);
    }

    @Benchmark
    public long firstLevelDependent(FirstLevel s) {
        return dependent(s);
    }

    @Benchmark
    public long firstLevelIndependentCeiling(FirstLevel s) {
        PlainLoads plain = s.plain;
        long[] gvas = s.gvas;
        long sum = 0;
        for (int i = 0; i < ACCESSES; i++) {
            sum += plain.hit(gvas[i & gvas.length - 1]);
        }
        return sum;
    }

    @Benchmark
    public long firstLevelDependentCeiling(FirstLevel s) {
        PlainLoads plain = s.plain;
        long gva = s.gvas[0];
        for (int i = 0; i < ACCESSES; i++) {
            gva = plain.hit(gva);
        }
        return gva;
    }

    @Benchmark
    public long secondLevelIndependent(SecondLevel s) {
        return independent(s);
    }

    @Benchmark
    public long secondLevelDependent(SecondLevel s) {
        return dependent(s);
    }

    @Benchmark
    public long secondLevelIndependentCeiling(SecondLevel s) {
        PlainLoads plain = s.plain;
        long[] gvas = s.gvas;
        long sum = 0;
        for (int i = 0; i < ACCESSES; i++) {
            sum += plain.secondLevelHit(gvas[i & gvas.length - 1]);
        }
        return sum;
    }

    @Benchmark
    public long secondLevelDependentCeiling(SecondLevel s) {
        PlainLoads plain = s.plain;
        long gva = s.gvas[0];
        for (int i = 0; i < ACCESSES; i++) {
            gva = plain.secondLevelHit(gva);
        }
        return gva;
    }

    @Benchmark
    public long walk4Independent(Walk4 s) {
        return independent(s);
    }

    @Benchmark
    public long walk4Dependent(Walk4 s) {
        return dependent(s);
    }

    @Benchmark
    public long walk4IndependentCeiling(Walk4 s) {
        PlainLoads plain = s.plain;
        long[] gvas = s.gvas;
        long sum = 0;
        for (int i = 0; i < ACCESSES; i++) {
            sum += plain.walk4(gvas[i]);
        }
        return sum;
    }

    @Benchmark
    public long walk4DependentCeiling(Walk4 s) {
        PlainLoads plain = s.plain;
        long gva = s.gvas[0];
        for (int i = 0; i < ACCESSES; i++) {
            gva = plain.walk4(gva);
        }
        return gva;
    }

    @Benchmark
    public long walk24Independent(Walk24 s) {
        return independent(s);
    }

    @Benchmark
    public long walk24Dependent(Walk24 s) {
        return dependent(s);
    }

    @Benchmark
    public long walk24IndependentCeiling(Walk24 s) {
        PlainLoads plain = s.plain;
        long[] gvas = s.gvas;
        long sum = 0;
        for (int i = 0; i < ACCESSES; i++) {
            sum += plain.walk24(gvas[i]);
        }
        return sum;
    }

    @Benchmark
    public long walk24DependentCeiling(Walk24 s) {
        PlainLoads plain = s.plain;
        long gva = s.gvas[0];
        for (int i = 0; i < ACCESSES; i++) {
            gva = plain.walk24(gva);
        }
        return gva;
    }

    @Benchmark
    public long walk24IndependentFlat(Walk24Flat s) {
        return independent(s);
    }

    @Benchmark
    public long walk24DependentFlat(Walk24Flat s) {
        return dependent(s);
    }

    private static String[] and(String[] some, String one) {
        String[] all = Arrays.copyOf(some, some.length + 1);
        all[some.length] = one;
        return all;
    }

    private static long independent(Stream s) {
        Guest guest = s.guest;
        long[] gvas = s.gvas;
        long sum = 0;
        for (int i = 0; i < ACCESSES; i++) {
            sum += guest.load(gvas[i & gvas.length - 1]);
        }
        return sum;
    }

    private static long dependent(Stream s) {
        Guest guest = s.guest;
        long gva = s.gvas[0];
        for (int i = 0; i < ACCESSES; i++) {
            gva = guest.load(gva);
        }
        return gva;
    }
}
