package org.penumbra.experiments.run;

import java.util.List;
import java.util.Map;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.clock.GuestClock;
import org.penumbra.api.clock.Work;
import org.penumbra.api.cpu.ExecutionEngine;
import org.penumbra.api.cpu.GuestOperation;
import org.penumbra.api.cpu.MemoryHooks;
import org.penumbra.api.cpu.Processor;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.cpu.TranslationStatistics;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineConfig;
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
    }

    /** The guest of a fake workload. */
    record Guest(String name, long seed) implements GuestBoot {
        @Override
        public ExecutionEngine boot(Loader loader, RegisterFile registers, long memoryBytes) {
            throw new UnsupportedOperationException();
        }
    }

    private final MachineConfig config;
    private final Guest guest;
    private final Behaviour behaviour;
    private final Runnable closed;
    private final GuestClock time = new GuestClock();
    private final CycleClock cycles;
    private final ExitTable exits = new ExitTable();
    private boolean open = true;

    FakeMachine(MachineConfig config, GuestBoot guest, Behaviour behaviour, Runnable closed) {
        this.config = config;
        this.guest = (Guest) guest;
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
        long n = Math.min(operations, behaviour.operations - time.retired());
        time.retire(n);
        cycles.charge(Work.OPERATION, n);
        if (!config.mmu().isEmpty()) {
            for (int i = 0; i < 40; i++) {
                cycles.charge(Work.EXIT);
                exits.add((i % 4 == 0 ? ExitReason.CR_ACCESS : ExitReason.EPT_VIOLATION).number(), 999 + i + guest.seed());
            }
        }
        return time.retired() < behaviour.operations;
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
    public GuestClock guestTime() {
        return time;
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
    public ExecutionEngine engine() {
        return new Engine();
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
        return guest.seed();
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

    private final class Engine implements ExecutionEngine {
        @Override
        public void attach(Processor cpu, int vcpu) {}

        @Override
        public Stop run(long budget) {
            throw new UnsupportedOperationException();
        }

        @Override
        public GuestOperation operation() {
            throw new UnsupportedOperationException();
        }

        @Override
        public boolean complete(MemoryHooks hooks) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void skip() {}

        @Override
        public long digest() {
            return behaviour.digest + guest.seed() + guest.name().hashCode();
        }

        @Override
        public long accesses() {
            return 3_000_000;
        }

        @Override
        public long misses() {
            return 1000;
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
        public void pageFault(int vcpu, long gva, int errorCode, boolean ac) {}

        @Override
        public void invalidatedPage(int vcpu, long gva) {}

        @Override
        public void loaded(int vcpu, PagingState state, boolean keepPcid) {}
    }
}
