package org.penumbra.experiments.guest;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.penumbra.api.clock.Work;
import org.penumbra.api.cpu.ExecutionEngine;
import org.penumbra.api.cpu.ExecutionEngine.Stop;
import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.cpu.MemoryPort;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.machine.MemoryDigest;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.experiments.engine.StepEngineFactory;

/** A guest on {@link WalkingProcessor}s over one memory. */
public final class GuestRig {
    /** One vCPU. */
    static final class Cpu {
        final WalkingProcessor processor;
        final GuestState guest;
        final ExecutionEngine engine;
        final MemoryPort port;
        Stop stop = Stop.BUDGET;

        private Cpu(int number, WalkingProcessor processor, GuestState guest) {
            this.processor = processor;
            this.guest = guest;
            port = new MemoryPort(processor, number);
            engine = new StepEngineFactory().create(guest);
            engine.attach(processor, port, number);
        }

        /** Runs {@code operations} at most; false once it has halted for good or powered off. */
        boolean run(long operations) {
            stop = engine.run(operations);
            return poweredOff() || stop == Stop.HALTED && !processor.interruptible() ? false : stop != Stop.FINISHED;
        }

        boolean poweredOff() {
            return processor.port == 0xf4;
        }

        /** Makes an external interrupt pending and delivers it as soon as the guest allows. */
        void interrupt(int vector) {
            while (!processor.interruptible()) {
                assertThat(run(1)).isTrue();
            }
            processor.injected = new GuestException();
            processor.injected.setExternal(vector);
        }
    }

    final PhysicalMemory memory;
    final List<Cpu> cpus = new ArrayList<>();
    /** vCPU 0. */
    final WalkingProcessor cpu;
    private final long memoryBytes;

    public GuestRig(long memoryBytes, GuestBoot boot) {
        this(memoryBytes, boot, 1);
    }

    public GuestRig(long memoryBytes, GuestBoot boot, int vcpus) {
        this.memoryBytes = memoryBytes;
        memory = new PhysicalMemory(memoryBytes);
        WalkingProcessor[] processors = new WalkingProcessor[vcpus];
        Arrays.setAll(processors, i -> new WalkingProcessor(memory));
        RegisterFile[] registers = Arrays.stream(processors).map(p -> p.registers).toArray(RegisterFile[]::new);
        GuestState[] guests = boot.boot(memory::store64, registers, memoryBytes);
        for (int i = 0; i < vcpus; i++) {
            cpus.add(new Cpu(i, processors[i], guests[i]));
        }
        cpu = processors[0];
    }

    static GuestRig of(UserProgram first) {
        return of(PagingMode.FOUR_LEVEL, first);
    }

    static GuestRig of(PagingMode mode, UserProgram first) {
        return new GuestRig(64 << 20, new MiniatureGuest("test", 1, seed -> first).in(mode));
    }

    static GuestRig withPcids(PagingMode mode, UserProgram first) {
        return new GuestRig(64 << 20, new MiniatureGuest("test", 1, seed -> first).in(mode).withPcids());
    }

    /** Runs to the end, exits included, and checks that the guest powered off with code 0. */
    public GuestRig finish() {
        return finish(1_000_003);
    }

    /** The same with vCPUs taking turns of {@code slice} operations, until each has halted for good or powered off. */
    public GuestRig finish(long slice) {
        List<Cpu> running = new ArrayList<>(cpus);
        while (!running.isEmpty()) {
            running.removeIf(c -> !c.run(slice));
        }
        assertPoweredOff();
        return this;
    }

    /** Runs to the end, interrupting vCPU 0 with {@code vector} whenever it idles. */
    public GuestRig finishWithInterrupts(int vector) {
        Cpu c = cpus.get(0);
        while (c.run(1_000_000)) {
            if (c.stop == Stop.HALTED) {
                c.interrupt(vector);
            }
        }
        assertPoweredOff();
        return this;
    }

    /** Deliveries of {@code vector} to vCPU 0, as its kernel has counted them. */
    public long interrupts(int vector) {
        return memory.load64(MiniatureGuest.interruptCounter(0, vector));
    }

    /** One vCPU powered off with code 0, the others halted. */
    void assertPoweredOff() {
        assertThat(cpus.stream().filter(Cpu::poweredOff)).singleElement().satisfies(c -> assertThat(c.processor.out).isZero());
        assertThat(cpus).allMatch(c -> c.poweredOff() || c.stop == Stop.HALTED);
    }

    public long operations() {
        return cpus.stream().mapToLong(c -> c.processor.time.retired()).sum();
    }

    public long misses() {
        return cpus.stream().mapToLong(c -> c.port.misses()).sum();
    }

    public long faults() {
        return cpus.stream().mapToLong(c -> c.processor.cycles.events(Work.EXCEPTION)).sum();
    }

    /** Of vCPU 0. */
    public long digest() {
        return digest(0);
    }

    public long digest(int vcpu) {
        return cpus.get(vcpu).guest.digest;
    }

    long memoryDigest() {
        return MemoryDigest.of(memory);
    }

    /** Of vCPU 0. */
    long accumulator() {
        return cpu.registers.gpr[RegisterFile.RAX];
    }
}
