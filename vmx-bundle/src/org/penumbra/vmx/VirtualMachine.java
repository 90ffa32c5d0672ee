package org.penumbra.vmx;

import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.clock.Work;
import org.penumbra.api.cpu.HostProcessor;
import org.penumbra.api.cpu.ProcessorFactory;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.cpu.TranslationStatistics;
import org.penumbra.api.device.Board;
import org.penumbra.api.device.IoPorts;
import org.penumbra.api.device.IoPortsFactory;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.interrupt.ControllerState;
import org.penumbra.api.interrupt.GsiRoute;
import org.penumbra.api.interrupt.InterruptTarget;
import org.penumbra.api.interrupt.Interrupts;
import org.penumbra.api.interrupt.InterruptsFactory;
import org.penumbra.api.interrupt.LocalApic;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.machine.HostPages;
import org.penumbra.api.machine.HotSwap;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.machine.MemorySlots;
import org.penumbra.api.memory.GuestMemoryException;
import org.penumbra.api.memory.WriteTracking;
import org.penumbra.api.observe.Counters;
import org.penumbra.api.observe.Counters.Counter;
import org.penumbra.api.observe.ExitTable;
import org.penumbra.api.observe.TracePoint;
import org.penumbra.api.observe.Tracing;
import org.penumbra.api.observe.TranslationChecker;
import org.penumbra.api.paging.ControlRegisterRules;
import org.penumbra.vmx.memory.HostMemory;
import org.penumbra.vmx.memory.Notifier;
import org.penumbra.vmx.snapshot.RegisterImage;
import org.penumbra.vmx.snapshot.SnapshotReader;

/**
 * A guest under the hypervisor. Holds everything that outlives the MMU: memory, slots, tracking requests, vCPU state, dirty log.
 *
 * <p>One class although it is long: half of it is what {@link Machine} offers, each in a line, by the parts that the rest puts together.
 */
final class VirtualMachine implements Machine, Notifier {
    /** Of IA32_APIC_BASE. */
    private static final long X2APIC = 1 << 10;

    final MachineConfig config;
    final Counters counters = new Counters();
    final Counter exitCount = counters.counter("exits");
    private final Tracing tracing = new Tracing();
    private final Tracing.Tracer hostTracer;
    private final Counter flushRequests = counters.counter("remote_tlb_flush_requests");
    private final Counter remoteFlushes = counters.counter("remote_tlb_flush");
    final ExitDispatch dispatch;
    final IoPorts ports;
    final Interrupts interrupts;
    final HostMemory memory;
    final TrackedFrames tracking;
    final VirtualCpu[] vcpus;
    /** Work that no vCPU does. */
    final CycleClock hostClock;
    final Gate gate = new Gate(this::kickAll);
    private final GuestTimeline timeline;
    private final Swapper swapper;
    private final Scheduler scheduler;
    private final DirtyLogging dirtyLog;
    private final HostPages hostPages;
    private final MemorySlots slots;
    private final TranslationChecker checker;
    private final MachineRegistry registry;
    private final Watchdog watchdog;
    private final Totals totals;
    private final GuestBoot guest;
    private volatile String stopped;
    private volatile boolean alive = true;
    private boolean closed;
    private long mmuFrames;
    private String mmuBundle = "";
    private long digest;

    VirtualMachine(MachineConfig config, GuestBoot guest, Parts parts, HostMemory memory, TranslationChecker checker) {
        this(config, guest, parts, memory, checker, null);
    }

    /** @param from what the guest goes on from; null for its boot */
    VirtualMachine(MachineConfig config, GuestBoot guest, Parts parts, HostMemory memory, TranslationChecker checker, SnapshotReader from) {
        this.config = config;
        this.guest = guest;
        this.memory = memory;
        this.checker = checker;
        this.dispatch = parts.dispatch();
        this.registry = parts.registry();
        this.hostClock = new CycleClock(config.hardware());
        this.hostTracer = tracing.tracer(-1, hostClock::total, () -> 0);
        this.tracking = new TrackedFrames(this::writeProtect);
        this.swapper = new Swapper(this, parts.designs(), parts.engines());
        this.vcpus = new VirtualCpu[config.vcpus()];
        this.totals = new Totals(config.hardware(), hostClock, vcpus);
        this.interrupts = parts.interrupts().create(config.vcpus(), new InterruptTarget() {
            @Override
            public void kick(int vcpu) {
                wake(vcpu);
            }

            @Override
            public void nonMaskable(int vcpu) {
                vcpus[vcpu].events().nonMaskable();
                wake(vcpu);
            }
        });
        memory.observe(checker);
        memory.events().notify(this);
        this.timeline = new GuestTimeline(this::latest, this::timerChanged);
        this.ports = parts.ports().create(new Board(interrupts, timeline, config.memoryBytes(), config.vcpus()));
        this.ports.console(guest::console);
        this.scheduler = new Scheduler(this, timeline, config.threads());
        this.dirtyLog = new DirtyLogging(this);
        this.hostPages = new GuardedHostPages(this);
        this.slots = new SlotControl(this, dirtyLog);
        this.watchdog = config.watchdogMillis() == 0 ? null : new Watchdog(this, config.watchdogMillis());
        start(parts.processors(), from);
    }

    private void start(ProcessorFactory processors, SnapshotReader from) {
        boolean done = false;
        try {
            boot(processors, from);
            if (watchdog != null) {
                watchdog.start();
            }
            guarded(() -> {
                swapper.begin(config.engine(), config.mmu(), config.settings());
                return true;
            });
            registry.add(this);
            swapper.recheck();
            done = true;
        } finally {
            if (!done) {
                release();
            }
        }
    }

    /** The services that a machine is made of. */
    record Parts(
            ProcessorFactory processors, IoPortsFactory ports, InterruptsFactory interrupts, ExitDispatch dispatch,
            MmuPlugins designs, Engines engines, MachineRegistry registry) {}

    private void boot(ProcessorFactory processors, SnapshotReader from) {
        MachineImage image = new MachineImage(this);
        RegisterFile[] registers = new RegisterFile[vcpus.length];
        for (int i = 0; i < registers.length; i++) {
            registers[i] = new RegisterFile();
        }
        GuestBoot.Loader loader = from == null ? memory::load : (gpa, value) -> { };
        GuestState[] guests = guarded(() -> guest.boot(loader, registers, config.memoryBytes()));
        if (from != null) {
            image.restoreMemory(from);
        } else if (guest.programsInterrupts()) {
            resetInterrupts();
        }
        for (int i = 0; i < vcpus.length; i++) {
            RegisterFile r = registers[i];
            if (from != null) {
                from.read("registers " + i, in -> RegisterImage.restore(r, in));
            }
            if (!ControlRegisterRules.la57Allowed(r.paging.cr4(), linearAddressBits())) {
                throw new MachineException("the guest boots with CR4.LA57, and linear addresses of processor '" + config.hardware().name()
                        + "' have " + linearAddressBits() + " bits");
            }
            HostProcessor processor = processors.create(config.hardware(), memory.physical(), r, ports, checker);
            vcpus[i] = new VirtualCpu(this, i, r, processor, guests[i], config.hardware());
            if (!guest.programsInterrupts()) {
                LocalApic apic = vcpus[i].localApic();
                apic.base(apic.base() | X2APIC);
            }
            if (checker != null) {
                checker.loaded(i, r.paging, false);
            }
        }
        if (from != null) {
            image.restore(from);
        }
    }

    @Override
    public void snapshot(Path file) {
        timeline.alone(() -> swapper.alone("to take a snapshot", attachment -> {
            timeline.act();
            new MachineImage(this).save(file, attachment);
        }));
    }

    /** What the guest needs to be made again. */
    Map<String, String> identity() {
        return guest.identity();
    }

    /** Every pin masked, and the interval timer at pin 2, where PCs have it; pin 0 is for the 8259s, GSI 2 is where they are chained. */
    private void resetInterrupts() {
        Map<Integer, GsiRoute> routes = new TreeMap<>(interrupts.routes());
        routes.put(0, new GsiRoute.Pin(2));
        routes.remove(2);
        interrupts.routes(routes);
        for (int pin = 0; pin < ControllerState.PINS; pin++) {
            interrupts.redirect(pin, ControllerState.MASKED);
        }
    }

    /** The guest's MAXPHYADDR. */
    int physicalAddressBits() {
        return (int) config.hardware().figure("cpu.maxphyaddr");
    }

    /** Bits of the guest's linear addresses. */
    int linearAddressBits() {
        return (int) config.hardware().figure("cpu.linear-address-bits");
    }

    /** Drops what the TLBs of every vCPU hold for this machine, as {@link org.penumbra.api.mmu.MmuHost#flushRemoteTlbs} says. */
    void flushTlbs(CycleClock payer) {
        boolean kicked = false;
        for (VirtualCpu vcpu : vcpus) {
            if (vcpu.clock() == payer) {
                vcpu.flushes().all(payer);
            } else {
                kicked |= vcpu.requestFlush(payer);
            }
        }
        flushRequests.increment();
        if (kicked) {
            remoteFlushes.increment();
        }
    }

    /** The way to tell what is done for the vCPU whose clock {@code clock} is, or for the host. */
    Tracing.Tracer tracer(CycleClock clock) {
        for (VirtualCpu vcpu : vcpus) {
            if (vcpu != null && vcpu.clock() == clock) {
                return vcpu.tracer();
            }
        }
        return hostTracer;
    }

    private void writeProtect(long gfn) {
        Attachment now = swapper.current();
        if (now != null) {
            now.mmu().writeProtect(gfn, hostClock);
        }
    }

    @Override
    public void invalidate(long gfn, long frames) {
        if (hostTracer.on(TracePoint.KVM_UNMAP_HVA_RANGE)) {
            hostTracer.tell(TracePoint.KVM_UNMAP_HVA_RANGE, gfn, frames);
        }
        for (Attachment attachment : swapper.attachments().inUse()) {
            if (attachment.guard().failure() != null) {
                // It cannot be asked to drop anything, but its vCPUs do not run again before it is replaced.
                flushTlbs(hostClock);
            } else if (attachment.mmu() != null) {
                attachment.mmu().hostRangeChanged(gfn, frames, hostClock);
            }
        }
    }

    /** True if this run is compared with the specification: then nothing that a design does wrong may go unnoticed, at whatever price. */
    boolean checked() {
        return checker != null;
    }

    @Override
    public void moved(long gfn) {
        if (checker != null) {
            checker.moved(gfn);
        }
    }

    /** Gets every vCPU out of the guest. */
    void kickAll() {
        for (VirtualCpu vcpu : vcpus) {
            vcpu.kick();
        }
        scheduler.wake();
    }

    /** An interrupt has arrived for a vCPU. */
    private void wake(int vcpu) {
        vcpus[vcpu].kick();
        scheduler.wake();
    }

    /** Operations retired by the vCPU that is furthest. */
    private long latest() {
        long most = 0;
        for (VirtualCpu vcpu : vcpus) {
            most = Math.max(most, vcpu.processor().guestTime().retired());
        }
        return most;
    }

    /** A timer was set that is due before the turns that run now end. */
    private void timerChanged() {
        for (VirtualCpu vcpu : vcpus) {
            vcpu.cutShort();
        }
        scheduler.wake();
    }

    /** {@code thread} is stuck in an MMU that has lost its lease: whatever it was to do, others do. */
    void abandon(Thread thread) {
        boolean ours = scheduler.replace(thread) || swapper.attachments().replace(thread);
        memory.events().abandon(thread);
        gate.expel(thread);
        if (ours) {
            thread.interrupt();
        }
    }

    /** Ends the guest because of {@code reason}; the next look at it fails with that. */
    void stop(String reason) {
        stopped = reason;
        alive = false;
        kickAll();
    }

    /** A vCPU has failed, or powered the machine off: the others come out. */
    void end() {
        alive = false;
        kickAll();
    }

    /** False when no vCPU is to run any more. */
    boolean alive() {
        return alive && !ports.poweredOff();
    }

    Swapper swapper() {
        return swapper;
    }

    @Override
    public boolean run(long operations) {
        if (alive()) {
            try {
                boolean more = guarded(() -> scheduler.run(operations));
                if (!more || ports.poweredOff()) {
                    alive = false;
                }
            } catch (MachineException e) {
                if (stopped == null) {
                    throw e;
                }
            }
        }
        if (stopped != null) {
            throw new MachineException(stopped);
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
        } catch (MmuFailure e) {
            throw new MachineException(e.getMessage());
        } catch (GuestMemoryException | IllegalArgumentException e) {
            throw new MachineException(e.getMessage(), e);
        } catch (RuntimeException e) {
            throw new MachineException("the machine failed: " + e, e);
        } finally {
            if (!done) {
                alive = false;
            }
        }
    }

    /** Sums over the vCPUs. */
    Totals totals() {
        return totals;
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        alive = false;
        mmuFrames = framesNow();
        mmuBundle = bundleNow();
        try {
            swapper.end();
        } finally {
            release();
        }
        digest = memory.digest();
    }

    private void release() {
        gate.shut();
        scheduler.close();
        swapper.attachments().close();
        if (watchdog != null) {
            watchdog.end();
        }
        interrupts.close();
        registry.remove(this);
    }

    private long framesNow() {
        Attachment now = swapper.current();
        return now == null ? 0 : now.lease().frames();
    }

    private String bundleNow() {
        Attachment now = swapper.current();
        return now == null ? "" : now.plugin().bundle();
    }

    @Override
    public int vcpus() {
        return vcpus.length;
    }

    @Override
    public long memoryDigest() {
        return closed ? digest : memory.digest();
    }

    @Override
    public long mmuFrames() {
        return closed ? mmuFrames : framesNow();
    }

    @Override
    public String mmuBundle() {
        return closed ? mmuBundle : bundleNow();
    }

    @Override
    public int exitCode() {
        return ports.exitCode();
    }

    @Override
    public long operations() {
        return totals.operations();
    }

    @Override
    public CycleClock cycles() {
        return totals.clock();
    }

    @Override
    public TranslationStatistics translation() {
        return totals.translation();
    }

    @Override
    public ExitTable exits() {
        return totals.exits();
    }

    @Override
    public Map<String, Long> counters() {
        return counters.snapshot();
    }

    @Override
    public long accesses() {
        return totals.accesses();
    }

    @Override
    public long misses() {
        return totals.misses();
    }

    @Override
    public long guestDigest() {
        return totals.guestDigest();
    }

    @Override
    public Tracing tracing() {
        return tracing;
    }

    @Override
    public TranslationChecker checker() {
        return checker;
    }

    @Override
    public HotSwap hotSwap() {
        return swapper;
    }

    @Override
    public HostPages hostPages() {
        return hostPages;
    }

    @Override
    public MemorySlots memorySlots() {
        return slots;
    }

    @Override
    public WriteTracking writeTracking() {
        return tracking;
    }

    @Override
    public DirtyLogging dirtyLog() {
        return dirtyLog;
    }

    @Override
    public Interrupts interrupts() {
        scheduler.mayBeWoken();
        return interrupts;
    }

    @Override
    public GuestTimeline timeline() {
        return timeline;
    }
}
