package org.penumbra.hardware.machine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.LongConsumer;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.cpu.EngineFactory;
import org.penumbra.api.cpu.ExecutionEngine;
import org.penumbra.api.cpu.GuestOperation;
import org.penumbra.api.cpu.MemoryHooks;
import org.penumbra.api.cpu.MemoryPort;
import org.penumbra.api.cpu.Outcome;
import org.penumbra.api.cpu.Processor;
import org.penumbra.api.device.IoPorts;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.observe.TranslationChecker;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PagingState;
import org.penumbra.hardware.cpu.LogicalProcessorFactory;
import org.penumbra.hardware.profile.JsonCostProfiles;

class BareMachineTest {
    private static final long MEMORY = 4 << 20;
    private static final int POWER = 0x604;

    private final BareMachineFactory factory = new BareMachineFactory(new LogicalProcessorFactory(), Ports::new);

    /** A port space in which a write to one port powers off. */
    private static final class Ports implements IoPorts {
        private int code = -1;

        @Override
        public void out(int port, int width, long value) {
            if (port == POWER) {
                code = (int) value;
            }
        }

        @Override
        public boolean poweredOff() {
            return code >= 0;
        }

        @Override
        public int exitCode() {
            return Math.max(code, 0);
        }
    }

    /** Runs one operation per call, given as code. */
    private static final class Script implements ExecutionEngine {
        private final List<Consumer<Script>> steps;
        private Stop stop = Stop.BUDGET;
        private int next;
        Processor cpu;
        MemoryPort port;

        Script(List<Consumer<Script>> steps) {
            this.steps = steps;
        }

        void stop(Stop why) {
            stop = why;
        }

        @Override
        public void attach(Processor processor, MemoryPort memory, int vcpu) {
            cpu = processor;
            port = memory;
        }

        @Override
        public Stop run(long budget) {
            steps.get(next++).accept(this);
            cpu.guestTime().retire(1);
            return stop;
        }

        @Override
        public GuestOperation operation() {
            return null;
        }

        @Override
        public boolean complete(MemoryHooks hooks) {
            return false;
        }

        @Override
        public void skip() {}
    }

    /** A guest whose tables are at 1 MiB and map gva 2 MiB to gpa 2 MiB. */
    @SafeVarargs
    private final GuestBoot guest(Consumer<Script>... steps) {
        factory.bindEngine(state -> new Script(List.of(steps)), Map.of(EngineFactory.ENGINE_NAME, EngineFactory.STEPS));
        return (loader, registers, bytes) -> {
            assertThat(bytes).isEqualTo(MEMORY);
            loader.store64(0x10_0000, 0x10_1003);
            loader.store64(0x10_1000, 0x10_2003);
            loader.store64(0x10_2008, 0x20_0083);
            registers[0].paging = PagingState.longMode(0x10_0000);
            return new GuestState[] {new GuestState(null)};
        };
    }

    private MachineConfig config(String mmu, boolean check) {
        return new MachineConfig(MEMORY, 1, new JsonCostProfiles().all().get(1), mmu, Map.of(), check);
    }

    @Test
    @DisplayName("X12 a bare machine boots, translates by the guest's own tables, and ends with the guest's exit code")
    void runs() {
        Machine machine = factory.create(config("", false), guest(
                s -> assertThat(s.port.store(0x20_0010, 8, 0x1234, Access.WRITE)).isEqualTo(Outcome.DONE),
                s -> {
                    assertThat(s.port.load(0x20_0010, 8, Access.READ)).isEqualTo(Outcome.DONE);
                    assertThat(s.port.value).isEqualTo(0x1234);
                },
                s -> s.cpu.out(POWER, 4, 3)));
        long before = machine.memoryDigest();
        assertThat(machine.run(1)).isTrue();
        assertThat(machine.memoryDigest()).isNotEqualTo(before);
        assertThat(machine.run(1)).isTrue();
        assertThat(machine.run(1)).isFalse();
        assertThat(machine.run(1)).isFalse();
        assertThat(machine.exitCode()).isEqualTo(3);
        assertThat(machine.translation().walks()).isEqualTo(1);
        assertThat(machine.translation().guestReferences()).isEqualTo(3);
        assertThat(machine.operations()).isEqualTo(3);
        assertThat(machine.exits().rows()).isEmpty();
        assertThat(machine.counters()).isEmpty();
        assertThat(machine.mmuFrames()).isZero();
        assertThat(machine.mmuBundle()).isEmpty();
        machine.close();
        machine.close();
        assertThat(machine.translation().walks()).isEqualTo(1);
        assertThatThrownBy(machine::memoryDigest).hasMessageContaining("take its digest before");
    }

    @Test
    @DisplayName("a guest that halts is an error, unless it has powered off")
    void halts() {
        Machine machine = factory.create(config("", false), guest(s -> s.stop(ExecutionEngine.Stop.HALTED)));
        assertThatThrownBy(() -> machine.run(1)).isInstanceOf(MachineException.class)
                .hasMessage("guest halted at operation 1 with interrupts nobody can deliver: a guest ends by powering off");
        assertThat(machine.run(1)).as("stopped").isFalse();
        Machine off = factory.create(config("", false), guest(s -> {
            s.cpu.out(POWER, 4, 0);
            s.stop(ExecutionEngine.Stop.HALTED);
        }));
        assertThat(off.run(1)).isFalse();
    }

    @Test
    @DisplayName("a guest that maps memory which is not there ends with one line")
    void wrongGuests() {
        Machine beyond = factory.create(config("", false), guest(s -> {
            s.cpu.memory().store64(0x10_2008, 0x4000_0083);
            s.port.load(0x20_0000, 8, Access.READ);
        }));
        assertThatThrownBy(() -> beyond.run(1)).isInstanceOf(MachineException.class).hasMessage(
                "guest stopped at operation 0: physical address 0x40000000 is outside the machine's memory of 0x400000 bytes");
        Machine exit = factory.create(config("", false), guest(s -> s.stop(ExecutionEngine.Stop.EXIT)));
        assertThatThrownBy(() -> exit.run(1)).hasMessageStartingWith("internal error");
    }

    @Test
    @DisplayName("a checked machine tells its checker of the boot state; without a checker it is refused")
    void checked() {
        assertThatThrownBy(() -> factory.create(config("", true), guest()))
                .isInstanceOf(MachineException.class).hasMessageContaining("no bundle provides one");
        Recorder recorder = new Recorder();
        factory.checkers = (vcpus, physicalAddressBits, memory, gpaToHpa, hpaToGpa) -> {
            assertThat(vcpus).isEqualTo(1);
            assertThat(gpaToHpa.applyAsLong(0x1000)).isEqualTo(0x1000);
            assertThat(gpaToHpa.applyAsLong(MEMORY)).isEqualTo(-1);
            return recorder;
        };
        Machine machine = factory.create(config("", true), guest(s -> s.port.load(0x20_0008, 8, Access.READ)));
        assertThat(machine.checker()).isSameAs(recorder);
        machine.run(1);
        assertThat(recorder.told).containsExactly(
                "loaded 0 " + PagingState.longMode(0x10_0000) + " false", "updated", "updated", "updated", "translated 0 200008 0 200008");
    }

    @Test
    @DisplayName("an MMU design has no place in a bare machine")
    void noMmu() {
        assertThatThrownBy(() -> factory.create(config("shadow", false), guest()))
                .isInstanceOf(MachineException.class).hasMessageStartingWith("a bare machine has no MMU design, but \"shadow\" was asked for");
    }

    /** Remembers what it is told. */
    private static final class Recorder implements TranslationChecker {
        final List<String> told = new ArrayList<>();

        @Override
        public void translated(int vcpu, long gva, int access, long hpa) {
            told.add("translated " + vcpu + " " + Long.toHexString(gva) + " " + access + " " + Long.toHexString(hpa));
        }

        @Override
        public void written(long hpa, int bytes) {
            told.add("written");
        }

        @Override
        public void updated(long hpa) {
            told.add("updated");
        }

        @Override
        public void moved(long gfn) {
            told.add("moved");
        }

        @Override
        public void takeWritten(LongConsumer gfns) {}

        @Override
        public void pageFault(int vcpu, long gva, int errorCode, boolean ac) {
            told.add("fault");
        }

        @Override
        public void invalidatedPage(int vcpu, long gva) {
            told.add("invalidated");
        }

        @Override
        public void invalidatedPcid(int vcpu, int type, int pcid, long gva) {}

        @Override
        public void loaded(int vcpu, PagingState state, boolean keepPcid) {
            told.add("loaded " + vcpu + " " + state + " " + keepPcid);
        }

        @Override
        public long compared() {
            return 0;
        }

        @Override
        public long stale() {
            return 0;
        }

        @Override
        public long wrong() {
            return 0;
        }

        @Override
        public List<String> complaints() {
            return List.of();
        }
    }
}
