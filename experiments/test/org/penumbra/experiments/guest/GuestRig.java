package org.penumbra.experiments.guest;

import static org.assertj.core.api.Assertions.assertThat;

import org.penumbra.api.clock.Work;
import org.penumbra.api.cpu.ExecutionEngine;
import org.penumbra.api.cpu.ExecutionEngine.Stop;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.machine.MemoryDigest;

/** A guest on a {@link WalkingProcessor}. */
public final class GuestRig {
    final WalkingProcessor cpu;
    final ExecutionEngine engine;
    private final long memoryBytes;

    public GuestRig(long memoryBytes, GuestBoot boot) {
        this.memoryBytes = memoryBytes;
        cpu = new WalkingProcessor(memoryBytes);
        engine = boot.boot(cpu.memory::store64, cpu.registers, memoryBytes);
        engine.attach(cpu, 0);
    }

    static GuestRig of(UserProgram first) {
        return new GuestRig(64 << 20, new MiniatureGuest("test", () -> first));
    }

    static GuestRig withPcids(UserProgram first) {
        return new GuestRig(64 << 20, new MiniatureGuest("test", () -> first).withPcids());
    }

    /** Runs to the end, exits included, and checks that the guest powered off with code 0. */
    public GuestRig finish() {
        Stop stop;
        do {
            stop = engine.run(1_000_003);
        } while (stop == Stop.BUDGET || stop == Stop.EXIT);
        assertThat(stop).isEqualTo(Stop.HALTED);
        assertThat(cpu.port).isEqualTo(0xf4);
        assertThat(cpu.out).isZero();
        return this;
    }

    public long operations() {
        return cpu.time.retired();
    }

    public long misses() {
        return engine.misses();
    }

    public long faults() {
        return cpu.cycles.events(Work.EXCEPTION);
    }

    public long digest() {
        return engine.digest();
    }

    long memoryDigest() {
        return MemoryDigest.of(memoryBytes, cpu.memory, gpa -> gpa);
    }

    long accumulator() {
        return cpu.registers.gpr[RegisterFile.RAX];
    }
}
