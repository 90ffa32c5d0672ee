package org.penumbra.hardware.machine;

import java.util.Map;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.cpu.EngineFactory;
import org.penumbra.api.cpu.ExecutionEngine;
import org.penumbra.api.cpu.MemoryPort;
import org.penumbra.api.cpu.Processor;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.cpu.TranslationStatistics;
import org.penumbra.api.device.IoPorts;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.interrupt.Interrupts;
import org.penumbra.api.interrupt.Timeline;
import org.penumbra.api.machine.DirtyLogControl;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.machine.HostPages;
import org.penumbra.api.machine.HotSwap;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.machine.MemoryDigest;
import org.penumbra.api.machine.MemorySlots;
import org.penumbra.api.memory.PhysicalAddressException;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.observe.ExitTable;
import org.penumbra.api.observe.Tracing;
import org.penumbra.api.observe.TranslationChecker;

/** A guest alone on the processor: guest-physical memory is the physical memory, gpa = hpa. */
final class BareMachine implements Machine {
    private final Processor cpu;
    private final PhysicalMemory memory;
    private final IoPorts ports;
    private final TranslationChecker checker;
    private final GuestState guest;
    private final MemoryPort port;
    private final ExecutionEngine engine;
    private final ExitTable exits = new ExitTable();
    private boolean alive = true;
    private boolean closed;

    /** Boots a guest; {@code cpu} is fresh and its observer is {@code checker}. */
    BareMachine(Processor cpu, IoPorts ports, TranslationChecker checker, GuestBoot boot, EngineFactory engines) {
        this.cpu = cpu;
        this.memory = cpu.memory();
        this.ports = ports;
        ports.console(boot::console);
        this.checker = checker;
        guest = boot.boot(memory::store64, new RegisterFile[] {cpu.registers()}, memory.bytes())[0];
        port = new MemoryPort(cpu, 0);
        engine = engines.create(guest);
        engine.attach(cpu, port, 0);
        if (checker != null) {
            checker.loaded(0, cpu.registers().paging, false);
        }
    }

    @Override
    public boolean run(long operations) {
        if (!alive || closed) {
            return false;
        }
        alive = false;
        ExecutionEngine.Stop stop;
        try {
            stop = engine.run(operations);
        } catch (PhysicalAddressException | IllegalStateException e) {
            throw new MachineException("guest stopped at operation " + cpu.guestTime().retired() + ": " + e.getMessage(), e);
        }
        if (ports.poweredOff() || stop == ExecutionEngine.Stop.FINISHED) {
            return false;
        }
        if (stop == ExecutionEngine.Stop.HALTED) {
            throw new MachineException("guest halted at operation " + cpu.guestTime().retired()
                    + " with interrupts nobody can deliver: a guest ends by powering off");
        }
        if (stop == ExecutionEngine.Stop.EXIT) {
            throw new MachineException("internal error: VM exit " + cpu.exit().reason + " outside VMX operation");
        }
        alive = true;
        return true;
    }

    @Override
    public int exitCode() {
        return ports.exitCode();
    }

    @Override
    public int vcpus() {
        return 1;
    }

    @Override
    public long operations() {
        return cpu.guestTime().retired();
    }

    @Override
    public CycleClock cycles() {
        return cpu.cycles();
    }

    @Override
    public TranslationStatistics translation() {
        return cpu.statistics();
    }

    @Override
    public ExitTable exits() {
        return exits;
    }

    @Override
    public Map<String, Long> counters() {
        return Map.of();
    }

    @Override
    public long accesses() {
        return port.accesses();
    }

    @Override
    public long misses() {
        return port.misses();
    }

    @Override
    public long guestDigest() {
        return guest.digest;
    }

    @Override
    public HotSwap hotSwap() {
        return null;
    }

    @Override
    public MemorySlots memorySlots() {
        return null;
    }

    @Override
    public HostPages hostPages() {
        return null;
    }

    @Override
    public DirtyLogControl dirtyLog() {
        return null;
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
    public Tracing tracing() {
        return null;
    }

    @Override
    public TranslationChecker checker() {
        return checker;
    }

    /** @throws IllegalStateException after {@link #close}, which gives the memory back */
    @Override
    public long memoryDigest() {
        if (closed) {
            throw new IllegalStateException("the memory of a closed machine is gone: take its digest before");
        }
        return MemoryDigest.of(memory);
    }

    @Override
    public long mmuFrames() {
        return 0;
    }

    @Override
    public String mmuBundle() {
        return "";
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            memory.resident(memory::clearFrame);
        }
    }
}
