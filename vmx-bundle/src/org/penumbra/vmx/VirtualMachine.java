package org.penumbra.vmx;

import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.clock.GuestClock;
import org.penumbra.api.clock.Work;
import org.penumbra.api.cpu.ExecutionEngine;
import org.penumbra.api.cpu.ProcessorFactory;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.cpu.TranslationStatistics;
import org.penumbra.api.device.IoPorts;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.machine.MemoryDigest;
import org.penumbra.api.memory.FrameLease;
import org.penumbra.api.memory.GuestMemoryException;
import org.penumbra.api.memory.LeaseException;
import org.penumbra.api.mmu.Mmu;
import org.penumbra.api.mmu.UnsupportedPagingException;
import org.penumbra.api.observe.Counters;
import org.penumbra.api.observe.Counters.Counter;
import org.penumbra.api.observe.ExitTable;
import org.penumbra.api.observe.TranslationChecker;
import org.penumbra.api.vmx.VmxProcessor;
import org.penumbra.vmx.memory.HostMemory;

/** A guest under the hypervisor. Holds everything that outlives the MMU: memory, slots, tracking requests, vCPU state. */
final class VirtualMachine implements Machine {
    final Counters counters = new Counters();
    final ExitTable exits = new ExitTable();
    final Counter exitCount = counters.counter("exits");
    final ExitDispatch dispatch;
    final IoPorts ports;
    final HostMemory memory;
    final TrackedFrames tracking;
    final Mmu mmu;
    private final MachineConfig config;
    private final MmuPlugin plugin;
    private final TranslationChecker checker;
    private final FrameLease lease;
    private final VirtualCpu vcpu;
    private boolean alive = true;
    private boolean closed;
    private long mmuFrames;
    private long digest;

    VirtualMachine(
            MachineConfig config,
            MmuPlugin plugin,
            GuestBoot guest,
            ProcessorFactory processors,
            HostMemory memory,
            IoPorts ports,
            ExitDispatch dispatch,
            TranslationChecker checker) {
        this.config = config;
        this.plugin = plugin;
        this.memory = memory;
        this.ports = ports;
        this.dispatch = dispatch;
        this.checker = checker;
        this.tracking = new TrackedFrames(this::writeProtect);
        this.lease = memory.newLease();
        this.vcpu = guarded(() -> boot(guest, processors));
        this.mmu = guarded(() -> plugin.factory().create(new MmuServices(this, plugin, config.settings(), lease)));
        guarded(() -> {
            vcpu.attach(mmu.newContext(vcpu), mmu.controlDemand());
            return true;
        });
        if (checker != null) {
            checker.loaded(0, vcpu.registers().paging, false);
        }
    }

    private VirtualCpu boot(GuestBoot guest, ProcessorFactory processors) {
        RegisterFile registers = new RegisterFile();
        ExecutionEngine engine = guest.boot(memory::load, registers, config.memoryBytes());
        VmxProcessor processor = processors.create(config.hardware(), memory.physical(), registers, ports, checker);
        return new VirtualCpu(this, 0, registers, processor, engine, config.hardware().figure(Work.EXIT.key()));
    }

    /** The guest's MAXPHYADDR. */
    int physicalAddressBits() {
        return (int) config.hardware().figure("cpu.maxphyaddr");
    }

    /** Drops what the TLBs of every vCPU hold for this machine. There is one vCPU, so no other processor is interrupted. */
    void flushTlbs(CycleClock payer) {
        vcpu.flushAll(payer);
    }

    private void writeProtect(long gfn) {
        mmu.writeProtect(gfn, vcpu.clock());
    }

    @Override
    public boolean run(long operations) {
        if (alive) {
            alive = guarded(() -> vcpu.run(vcpu.processor().guestTime().retired() + operations));
        }
        return alive;
    }

    /** The result of {@code work}; whatever it throws stops the machine and becomes one line for a user. */
    private <T> T guarded(Supplier<T> work) {
        boolean done = false;
        try {
            T result = work.get();
            done = true;
            return result;
        } catch (MachineException e) {
            throw e;
        } catch (LeaseException | GuestMemoryException | UnsupportedPagingException | IllegalArgumentException e) {
            throw new MachineException("design '" + plugin.name() + "': " + e.getMessage(), e);
        } catch (RuntimeException e) {
            throw new MachineException("design '" + plugin.name() + "' failed: " + e, e);
        } finally {
            if (!done) {
                alive = false;
                memory.revokeLease();
            }
        }
    }

    /** Reports each invariant of the MMU's structures that does not hold. Takes no simulated time. */
    void audit(Consumer<String> violations) {
        mmu.audit(new CycleClock(config.hardware()), violations);
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        mmuFrames = mmuFrames();
        digest = memoryDigest();
        closed = true;
        alive = false;
        mmu.close();
        memory.revokeLease();
    }

    @Override
    public long memoryDigest() {
        return closed ? digest : MemoryDigest.of(config.memoryBytes(), memory.physical(), memory::peek);
    }

    @Override
    public long mmuFrames() {
        return closed ? mmuFrames : lease.frames();
    }

    @Override
    public int exitCode() {
        return ports.exitCode();
    }

    @Override
    public GuestClock guestTime() {
        return vcpu.processor().guestTime();
    }

    @Override
    public CycleClock cycles() {
        return vcpu.clock();
    }

    @Override
    public TranslationStatistics translation() {
        return vcpu.processor().statistics();
    }

    @Override
    public ExitTable exits() {
        return exits;
    }

    @Override
    public Map<String, Long> counters() {
        return counters.snapshot();
    }

    @Override
    public ExecutionEngine engine() {
        return vcpu.engine();
    }

    @Override
    public TranslationChecker checker() {
        return checker;
    }

    @Override
    public String mmuBundle() {
        return plugin.bundle();
    }
}
