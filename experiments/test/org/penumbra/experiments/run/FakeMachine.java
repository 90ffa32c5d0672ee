package org.penumbra.experiments.run;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.LongConsumer;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.clock.GuestClock;
import org.penumbra.api.clock.Work;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.cpu.TranslationStatistics;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.interrupt.Interrupts;
import org.penumbra.api.interrupt.Timeline;
import org.penumbra.api.machine.DirtyLogControl;
import org.penumbra.api.machine.DirtyRingReader;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.observe.Tracing;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.machine.HostPages;
import org.penumbra.api.machine.HotSwap;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MemorySlots;
import org.penumbra.api.machine.SwapReport;
import org.penumbra.api.observe.ExitTable;
import org.penumbra.api.observe.TranslationChecker;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.vmx.ExitReason;

/** A machine that retires 2,500,000 operations and has figures that depend on nothing but its configuration. */
public final class FakeMachine implements Machine {
    /** How machines of one MMU behave. */
    public static final class Behaviour {
        /** Thrown in the second batch. */
        public Throwable failure;
        /** Runs at each batch. */
        public Runnable atBatch = () -> {};
        public int exitCode;
        public long wrong;
        public long operations = 2_500_000;
        public long digest = 0xabcdL;
        /** Operations that each vCPU adds. */
        public long perVcpu;
        /** What swaps do: operations that get lost by each, and whether the frame that was written anew before it is forgotten. */
        public long lostBySwap;
        public boolean swapForgetsDirty;
        /** Frames that each harvest tells and nobody wrote. */
        public int extraDirty;
        /** What guest memory differs by after a swap. */
        public long memoryChangedBySwap;
        public List<String> misconduct = List.of();
        public List<String> audit = List.of();
        /** What was asked of the machines, in order. */
        public final List<String> asked = new ArrayList<>();
    }

    /** The guest of a fake workload. */
    record Guest(String name, long seed, PagingMode mode) implements GuestBoot {
        @Override
        public Optional<String> refusal(int vcpus, long memoryBytes) {
            return mode == PagingMode.NONE && name.equals("fork-heavy") ? Optional.of("workload 'fork-heavy' cannot run without paging") : Optional.empty();
        }

        @Override
        public GuestState[] boot(Loader loader, RegisterFile[] vcpus, long memoryBytes) {
            throw new UnsupportedOperationException();
        }
    }

    private final MachineConfig config;
    private final Guest guest;
    private final Behaviour behaviour;
    private final Tracing tracing = new Tracing();
    private final Runnable closed;
    private final GuestClock time = new GuestClock();
    private final CycleClock cycles;
    private final ExitTable exits = new ExitTable();
    private final BitSet written = new BitSet();
    private final BitSet logged = new BitSet();
    private final List<SwapReport> swaps = new ArrayList<>();
    private boolean logging;
    private long slices;
    private long lost;
    private boolean open = true;

    FakeMachine(MachineConfig config, GuestBoot guest, Behaviour behaviour, Runnable closed) {
        this.config = config;
        this.guest = new Guest(guest.identity().getOrDefault(IdentifiedGuest.WORKLOAD, "another"),
                Long.parseLong(guest.identity().getOrDefault(IdentifiedGuest.SEED, "0")), PagingMode.FOUR_LEVEL);
        this.behaviour = behaviour;
        this.closed = closed;
        this.cycles = new CycleClock(config.hardware());
    }

    @Override
    public boolean run(long operations) {
        behaviour.atBatch.run();
        if (behaviour.failure != null && time.retired() > 0) {
            throw FakeMachine.<RuntimeException>sneaky(behaviour.failure);
        }
        long n = Math.min(operations * config.vcpus(), total() - time.retired());
        time.retire(n);
        // Three frames: one anew, two over and over.
        for (long gfn : new long[] {8, 9, 16 + slices++}) {
            written.set((int) gfn);
            if (logging) {
                logged.set((int) gfn);
            }
        }
        cycles.charge(Work.OPERATION, n);
        if (!config.mmu().isEmpty()) {
            for (int i = 0; i < 40; i++) {
                cycles.charge(Work.EXIT);
                exits.add((i % 4 == 0 ? ExitReason.CR_ACCESS : ExitReason.EPT_VIOLATION).number(), 999 + i + guest.seed());
            }
        }
        return time.retired() < total();
    }

    private long total() {
        return behaviour.operations + behaviour.perVcpu * config.vcpus() - lost;
    }

    @SuppressWarnings("unchecked")
    private static <T extends Throwable> T sneaky(Throwable t) throws T {
        throw (T) t;
    }

    @Override
    public int exitCode() {
        return behaviour.exitCode;
    }

    @Override
    public long operations() {
        return time.retired();
    }

    @Override
    public CycleClock cycles() {
        return cycles;
    }

    @Override
    public TranslationStatistics translation() {
        return config.mmu().isEmpty() ? new TranslationStatistics(700, 300, 1000, 0, 250, 750)
                : new TranslationStatistics(700, 300, 1000, 2000, 250, 2500);
    }

    @Override
    public ExitTable exits() {
        return exits;
    }

    @Override
    public Map<String, Long> counters() {
        return config.mmu().isEmpty() ? Map.of() : Map.of("pf_taken", 12L, "mmu_shadow_zapped", 3L);
    }

    @Override
    public int vcpus() {
        return config.vcpus();
    }

    @Override
    public long accesses() {
        return 3_000_000;
    }

    @Override
    public long misses() {
        return 1000;
    }

    @Override
    public long guestDigest() {
        return behaviour.digest + guest.seed() + guest.name().hashCode();
    }

    @Override
    public HotSwap hotSwap() {
        return config.mmu().isEmpty() ? null : new Swapping();
    }

    @Override
    public MemorySlots memorySlots() {
        return null;
    }

    @Override
    public HostPages hostPages() {
        return new Host();
    }

    @Override
    public Tracing tracing() {
        return tracing;
    }

    @Override
    public DirtyLogControl dirtyLog() {
        return new Log();
    }

    @Override
    public Interrupts interrupts() {
        return null;
    }

    @Override
    public Timeline timeline() {
        return null;
    }

    @Override
    public TranslationChecker checker() {
        return config.check() ? new Checker() : null;
    }

    @Override
    public long memoryDigest() {
        if (!open) {
            throw new IllegalStateException("memory is gone");
        }
        return guest.seed() + (swaps.isEmpty() ? 0 : behaviour.memoryChangedBySwap);
    }

    @Override
    public long mmuFrames() {
        return config.mmu().isEmpty() ? 0 : 11;
    }

    @Override
    public String mmuBundle() {
        return config.mmu().isEmpty() ? "" : "org.penumbra." + config.mmu() + " 1.2.3";
    }

    @Override
    public void close() {
        if (open) {
            open = false;
            closed.run();
        }
    }

    private final class Swapping implements HotSwap {
        @Override
        public String design() {
            return swaps.isEmpty() ? config.mmu() : swaps.get(swaps.size() - 1).to();
        }

        @Override
        public boolean waiting() {
            return false;
        }

        /** The n-th swap takes 1000 n cycles and 10 n ns, gives up n frames, and its successor builds n + 1. */
        @Override
        public SwapReport swap(String design, Map<String, String> settings) {
            behaviour.asked.add("swap to " + design + " " + settings + " at " + time.retired());
            int n = swaps.size() + 1;
            lost += behaviour.lostBySwap;
            if (behaviour.swapForgetsDirty && !logged.isEmpty()) {
                logged.clear(logged.length() - 1);
            }
            String from = n == 1 ? title(config.mmu()) : swaps.get(n - 2).to();
            swaps.add(new SwapReport("asked for", from, title(design), time.retired(), 1, 10L * n, 1000L * n, n, n + 1, 1));
            return swaps.get(n - 1);
        }

        private String title(String design) {
            return design + " (org.penumbra." + design + " 1.2.3)";
        }

        @Override
        public void swapEngine(String engine) {
            throw new UnsupportedOperationException();
        }

        @Override
        public List<SwapReport> reports() {
            return List.copyOf(swaps);
        }

        @Override
        public List<String> misconduct() {
            return behaviour.misconduct;
        }

        @Override
        public void audit(Consumer<String> violations) {
            behaviour.audit.forEach(violations);
        }
    }

    private final class Log implements DirtyLogControl {
        @Override
        public void start() {
            behaviour.asked.add("log on");
            logging = true;
        }

        @Override
        public void harvest(LongConsumer gfns) {
            behaviour.asked.add("harvest at " + time.retired());
            logged.set(1000, 1000 + behaviour.extraDirty);
            logged.stream().forEach(gfns::accept);
            logged.clear();
        }

        @Override
        public void startAllSet() {
            throw new UnsupportedOperationException();
        }

        @Override
        public void get(LongConsumer gfns) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void clear(long firstGfn, long[] mask) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void startRings(int entries, DirtyRingReader reader) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void harvestRings(DirtyRingReader.Entries entries) {
            throw new UnsupportedOperationException();
        }

        @Override
        public int resetRings() {
            throw new UnsupportedOperationException();
        }

        @Override
        public void stop() {
            behaviour.asked.add("log off");
            logging = false;
        }
    }

    /** Swaps out even frames, migrates odd ones, and merges where the sum is a multiple of 8; collapses and splits as asked; all are young. */
    private final class Host implements HostPages {
        @Override
        public long frames() {
            return config.memoryBytes() >> 12;
        }

        @Override
        public boolean swapOut(long gfn) {
            behaviour.asked.add("swap out " + gfn);
            return gfn % 2 == 0;
        }

        @Override
        public boolean migrate(long gfn) {
            behaviour.asked.add("migrate " + gfn);
            return gfn % 2 == 1;
        }

        @Override
        public boolean merge(long gfn, long other) {
            behaviour.asked.add("merge " + gfn + " " + other);
            return (gfn + other) % 8 == 0;
        }

        @Override
        public boolean collapse(long gfn) {
            behaviour.asked.add("collapse " + gfn);
            return true;
        }

        @Override
        public boolean split(long gfn) {
            behaviour.asked.add("split " + gfn);
            return true;
        }

        @Override
        public boolean young(long gfn) {
            behaviour.asked.add("age " + gfn);
            return true;
        }

        @Override
        public boolean testYoung(long gfn) {
            return true;
        }
    }

    private final class Checker implements TranslationChecker {
        @Override
        public long compared() {
            return 3_000_000;
        }

        @Override
        public long stale() {
            return 5;
        }

        @Override
        public long wrong() {
            return behaviour.wrong;
        }

        @Override
        public List<String> complaints() {
            return behaviour.wrong == 0 ? List.of() : List.of("vCPU 0: gva 0x1000 user read got hpa 0x2000, allowed 0x3000");
        }

        @Override
        public void translated(int vcpu, long gva, int access, long hpa) {}

        @Override
        public void written(long hpa, int bytes) {}

        @Override
        public void updated(long hpa) {}

        @Override
        public void moved(long gfn) {}

        @Override
        public void takeWritten(LongConsumer gfns) {
            written.stream().forEach(gfns::accept);
            written.clear();
        }

        @Override
        public void pageFault(int vcpu, long gva, int errorCode, boolean ac) {}

        @Override
        public void invalidatedPage(int vcpu, long gva) {}

        @Override
        public void invalidatedPcid(int vcpu, int type, int pcid, long gva) {}

        @Override
        public void loaded(int vcpu, PagingState state, boolean keepPcid) {}
    }
}
