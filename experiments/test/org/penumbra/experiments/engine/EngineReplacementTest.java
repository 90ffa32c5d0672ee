package org.penumbra.experiments.engine;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.cpu.EngineFactory;
import org.penumbra.api.cpu.ExecutionEngine;
import org.penumbra.api.cpu.ExecutionEngine.Stop;
import org.penumbra.api.cpu.MemoryPort;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.guest.GuestState;

@DisplayName("Replacing the step engine")
class EngineReplacementTest {
    private static final long ALL = Long.MAX_VALUE;

    private final EngineFactory engines = new StepEngineFactory();
    private final FakeProcessor cpu = new FakeProcessor(1 << 20);
    private final MemoryPort port = new MemoryPort(cpu, 0);

    private ExecutionEngine engine(GuestState guest) {
        ExecutionEngine engine = engines.create(guest);
        engine.attach(cpu, port, 0);
        return engine;
    }

    @Test
    @DisplayName("P04 another engine goes on in the middle of a batch: no step is lost or repeated, accumulator and digest go on")
    void batch() {
        cpu.memory.store64(0x4000, 0x70);
        GuestState guest = new GuestState(Script.of(s -> {
            s.load(0x4000, 8);
            s.orAccumulator(7);
            s.storeAccumulator(0x5000, 8);
            s.load(0x5000, 8);
            s.storeAccumulator(0x6000, 8);
        }).then(s -> s.storeAccumulator(0x7000, 8)));
        long start = guest.digest;
        assertThat(engine(guest).run(2)).isEqualTo(Stop.BUDGET);
        long afterFirst = guest.digest;
        assertThat(afterFirst).isNotEqualTo(start);
        assertThat(engine(guest).run(ALL)).isEqualTo(Stop.FINISHED);
        assertThat(cpu.time.retired()).isEqualTo(6);
        assertThat(cpu.memory.load64(0x6000)).isEqualTo(0x77);
        assertThat(cpu.memory.load64(0x7000)).isEqualTo(0x77);
        assertThat(guest.digest).isNotEqualTo(afterFirst);
        assertThat(port.accesses()).as("each access once").isEqualTo(5);
    }

    @Test
    @DisplayName("P04 another engine goes on in the middle of a fault handler, and returns from it to the faulted access at CPL 3")
    void handler() {
        cpu.faultOnce(0x4000, 6);
        Script script = Script.of(s -> {
            s.enterUser();
            s.store(0x4000, 8, 5);
            s.load(0x4000, 8);
        }).onFault(s -> {
            s.store(0x9000, 8, 1);
            s.store(0x9008, 8, 2);
            s.store(0x9010, 8, 3);
        });
        GuestState guest = new GuestState(script);
        assertThat(engine(guest).run(2)).isEqualTo(Stop.BUDGET);
        assertThat(guest.inHandler).isTrue();
        assertThat(cpu.registers.cpl).isZero();
        assertThat(cpu.memory.load64(0x9008)).isZero();
        assertThat(engine(guest).run(ALL)).isEqualTo(Stop.FINISHED);
        assertThat(cpu.memory.load64(0x9000)).isEqualTo(1);
        assertThat(cpu.memory.load64(0x9010)).isEqualTo(3);
        assertThat(cpu.registers.gpr[RegisterFile.RAX]).isEqualTo(5);
        assertThat(cpu.registers.cpl).isEqualTo(3);
        assertThat(cpu.interruptible()).as("RFLAGS of the interrupted program").isTrue();
        assertThat(script.faults).containsExactly("4000 6 user");
        assertThat(cpu.time.retired()).isEqualTo(6);
    }

    @Test
    @DisplayName("P04 an engine that is replaced at an exit leaves the operation to the next one, which executes it once")
    void exit() {
        cpu.exitOnce(0x4000);
        GuestState guest = new GuestState(Script.of(s -> s.store(0x4000, 8, 5)));
        assertThat(engine(guest).run(ALL)).isEqualTo(Stop.EXIT);
        assertThat(engine(guest).run(ALL)).isEqualTo(Stop.FINISHED);
        assertThat(cpu.memory.load64(0x4000)).isEqualTo(5);
        assertThat(cpu.time.retired()).isEqualTo(1);
    }

    @Test
    @DisplayName("P04 a guest that had finished has finished under the next engine too")
    void finished() {
        GuestState guest = new GuestState(Script.of(s -> s.store(0x4000, 8, 5)));
        assertThat(engine(guest).run(ALL)).isEqualTo(Stop.FINISHED);
        assertThat(engine(guest).run(ALL)).isEqualTo(Stop.FINISHED);
        assertThat(cpu.time.retired()).isEqualTo(1);
    }
}
