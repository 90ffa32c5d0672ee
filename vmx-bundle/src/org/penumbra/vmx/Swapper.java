package org.penumbra.vmx;

import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.machine.HotSwap;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.machine.SwapReport;
import org.penumbra.api.mmu.MmuFactory;

/**
 * Replaces the MMU of one machine, and lends its gate to whoever replaces the engine. One replacement at a time, under a lock of its own
 * that no vCPU ever takes while it is inside the gate; the gate is closed meanwhile, and stays closed while a design or an engine is
 * waited for.
 */
final class Swapper implements HotSwap {
    /** How long those inside the gate may take to come out: beyond what the watchdog grants a stuck MMU. */
    private static final long PATIENCE_MILLIS = 10_000;

    /** A swap that is being made: when it began, and what was there before. Times are wall time in nanoseconds. */
    record Begun(long closing, long parked, long cycles, long dirty) {}

    private final VirtualMachine machine;
    private final MmuPlugins designs;
    private final EngineSlot engines;
    private final Attachments attachments;
    final ReentrantLock lock = new ReentrantLock();
    private final SwapLog reports = new SwapLog();
    private final List<String> misconduct = new CopyOnWriteArrayList<>();
    private final CycleClock auditClock;

    private volatile Attachment current;
    /** The service whose MMU is being made. Set before the service is looked for, so that its going is not missed. */
    private volatile Object making;
    private volatile String design;
    private Map<String, String> settings;
    private volatile boolean waiting;
    /** The design before this one, to go back to if this one misbehaves; null if there is none. */
    private String previous;
    private Map<String, String> previousSettings;
    private volatile boolean closed;

    Swapper(VirtualMachine machine, MmuPlugins designs, Engines engines) {
        this.machine = machine;
        this.designs = designs;
        this.attachments = new Attachments(machine);
        this.engines = new EngineSlot(machine, engines, this);
        this.auditClock = new CycleClock(machine.config.hardware());
    }

    /** Puts the first engine and the first MMU in place, before the guest runs. */
    void begin(String firstEngine, String firstDesign, Map<String, String> chosen) {
        lock.lock();
        try {
            engines.begin(firstEngine);
            use(attachments.make(choose(firstDesign), chosen));
        } finally {
            making = null;
            lock.unlock();
        }
    }

    /** The machine can be found from now on: services that went before that are noticed here. */
    void recheck() {
        Attachment now = current;
        if (now != null && !designs.has(now.plugin().id())) {
            gone(now.plugin().id());
        }
        engines.recheck();
    }

    @Override
    public String design() {
        return design;
    }

    @Override
    public boolean waiting() {
        return waiting || engines.missing();
    }

    /** The MMU that is in charge; null while one is waited for. */
    Attachment current() {
        return current;
    }

    /** MMUs in and on their way into the machine. */
    Attachments attachments() {
        return attachments;
    }

    @Override
    public SwapReport swap(String next, Map<String, String> chosen) {
        refuseInside();
        Settings.of(designs.find(next), chosen);
        lock.lock();
        try {
            requireOpen();
            Plugin<MmuFactory> plugin = choose(next);
            Begun begun = close("to swap to " + plugin.title());
            Attachment old = current;
            Attachment made;
            try {
                made = attachments.make(plugin, Map.copyOf(chosen));
            } catch (RuntimeException | Error e) {
                reopen();
                throw plain(e);
            }
            String from = old == null ? "" : old.plugin().title();
            String before = design;
            Map<String, String> beforeSettings = settings;
            long dropped = old == null ? 0 : giveUp(old, true);
            try {
                use(made);
            } catch (RuntimeException e) {
                if (old == null) {
                    // Still waiting for what it waited for.
                    throw plain(e);
                }
                fallBack(begun, "asked for, and " + plugin.title() + " failed", from, dropped, before, beforeSettings);
                throw plain(e);
            }
            if (old != null) {
                previous = before;
                previousSettings = beforeSettings;
            }
            return finish(begun, "asked for", from, made.plugin().title(), dropped);
        } finally {
            making = null;
            lock.unlock();
        }
    }

    /** The design named {@code name}, whose going will be noticed from now on. */
    private Plugin<MmuFactory> choose(String name) {
        Plugin<MmuFactory> plugin;
        do {
            plugin = designs.find(name);
            making = plugin.id();
        } while (!designs.has(plugin.id()));
        return plugin;
    }

    /** Puts {@code made} in charge; if it fails over it, nothing is. */
    private void use(Attachment made) {
        attachments.attach(made);
        current = made;
        design = made.plugin().name();
        settings = made.chosen();
        waiting = false;
    }

    private long giveUp(Attachment old, boolean wellBehaved) {
        reports.rebuilt(old.lease().allocated());
        try {
            return attachments.giveUp(old, wellBehaved);
        } finally {
            current = null;
        }
    }

    /** Closes the gate; refuses the swap, naming who blocks, if it does not close in time. */
    Begun close(String why) {
        long start = System.nanoTime();
        if (!waiting) {
            List<String> blocking = machine.gate.close(PATIENCE_MILLIS);
            if (!blocking.isEmpty()) {
                machine.gate.open();
                throw new MachineException("the gate did not close within " + PATIENCE_MILLIS + " ms " + why + ": "
                        + String.join(", ", blocking) + " did not come out");
            }
        }
        return begun(start);
    }

    private Begun begun(long start) {
        return new Begun(start, System.nanoTime(), machine.totals().cycles(), machine.memory.dirty().count());
    }

    /** Opens the gate unless something is waited for. */
    void reopen() {
        if (!machine.alive() || !waiting()) {
            machine.gate.open();
        }
    }

    private SwapReport finish(Begun begun, String cause, String from, String to, long droppedFrames) {
        long drained = Math.max(0, machine.memory.dirty().count() - begun.dirty);
        SwapReport report = new SwapReport(cause, from, to, machine.operations(), begun.parked - begun.closing,
                System.nanoTime() - begun.parked, machine.totals().cycles() - begun.cycles, droppedFrames, 0, drained);
        reports.add(report);
        reopen();
        return report;
    }

    /** A design of name {@code name} has come: if the guest waits for it, it goes on. */
    void arrived(String name) {
        if (!waiting) {
            return;
        }
        lock.lock();
        try {
            if (!closed && waiting && name.equals(design)) {
                resume(begun(System.nanoTime()), "design is there again", "", 0);
            }
        } finally {
            lock.unlock();
        }
    }

    /** The service {@code id} goes: returns when nothing of it is used any more. */
    void gone(Object id) {
        if (!id.equals(making) && !uses(id)) {
            return;
        }
        refuseInside();
        lock.lock();
        try {
            if (closed || !uses(id)) {
                return;
            }
            Attachment old = current;
            Begun begun = force("bundle stopped");
            long frames = giveUp(old, old.guard().failure() == null);
            waiting = true;
            resume(begun, "bundle stopped", old.plugin().title(), frames);
        } finally {
            lock.unlock();
        }
    }

    private boolean uses(Object id) {
        Attachment now = current;
        return now != null && now.plugin().id().equals(id);
    }

    /**
     * Closes the gate whatever happens: threads that are stuck in the MMU are given up, and the MMU is at fault. If anybody else does
     * not come out the machine stops, since nobody may go on with the guest then.
     */
    Begun force(String why) {
        long start = System.nanoTime();
        List<String> blocking = waiting ? List.of() : machine.gate.close(PATIENCE_MILLIS);
        if (!blocking.isEmpty()) {
            String late = why + ", and " + String.join(", ", blocking) + " did not come out of the gate within " + PATIENCE_MILLIS + " ms";
            for (Thread thread : machine.gate.threads()) {
                Attachment now = current;
                if (now != null && now.guard().abandon(thread)) {
                    now.guard().fail(Misconduct.STUCK, late);
                    machine.abandon(thread);
                } else {
                    machine.stop(late);
                    machine.gate.expel(thread);
                }
            }
        }
        return begun(start);
    }

    /** Goes on under a design of the name that is waited for, if there is one. */
    private void resume(Begun begun, String cause, String from, long frames) {
        finish(begun, cause, from, tryToUse(design, settings), frames);
    }

    /** Puts the design {@code name} in charge; its title, or empty if there is none or it cannot be used. */
    private String tryToUse(String name, Map<String, String> chosen) {
        try {
            if (name == null || designs.lookup(name).isEmpty()) {
                return "";
            }
            Attachment made = attachments.make(choose(name), chosen);
            use(made);
            return made.plugin().title();
        } catch (RuntimeException e) {
            if (!(e instanceof MmuFailure)) {
                misconduct.add(plain(e).getMessage());
            }
            return "";
        } finally {
            making = null;
        }
    }

    /** An MMU did something against its contract: its handles are shut at once, and the vCPUs come out. Any thread, any lock. */
    void failed(Attachment attachment, String report) {
        misconduct.add(report);
        attachment.revoke();
        machine.kickAll();
    }

    /** The structures of an MMU that is about to go lead out of the guest: {@code violation} says where. */
    void broke(Attachment attachment, String violation) {
        misconduct.add(String.format("design %s let the guest out: %s (%s)", attachment.plugin().title(), violation, Misconduct.OUTSIDE_LEASE.law()));
    }

    /** Replaces the MMU if it failed: by the design before it, or the machine stops. Outside the gate only. */
    void recover() {
        Attachment failed = current;
        if (failed == null || failed.guard().failure() == null) {
            return;
        }
        lock.lock();
        try {
            if (current != failed) {
                return;
            }
            Begun begun = force(failed.guard().failure());
            long frames = giveUp(failed, false);
            fallBack(begun, failed.guard().failure(), failed.plugin().title(), frames, previous, previousSettings);
        } finally {
            lock.unlock();
        }
    }

    private void fallBack(Begun begun, String cause, String from, long frames, String to, Map<String, String> toSettings) {
        previous = null;
        String title = tryToUse(to, toSettings);
        if (title.isEmpty()) {
            machine.stop(cause + "; there is no design to go back to");
        }
        finish(begun, cause, from, title, frames);
    }

    /** The engine of the machine. */
    EngineSlot engines() {
        return engines;
    }

    @Override
    public void swapEngine(String name) {
        refuseInside();
        engines.swap(name);
    }

    /** Does {@code work} with the MMU, null while one is waited for, while nobody is inside the gate. */
    void alone(String why, Consumer<Attachment> work) {
        refuseInside();
        lock.lock();
        try {
            requireOpen();
            close(why);
            Attachment now = current;
            try {
                if (now == null) {
                    work.accept(null);
                } else {
                    attachments.errand(now, () -> work.accept(now));
                }
            } catch (MmuFailure e) {
                throw plain(e);
            } finally {
                reopen();
            }
        } finally {
            lock.unlock();
            recover();
        }
    }

    /** Waits until no thread is inside the gate that was inside before; a thread that does not come out is named. */
    void quiesce() {
        if (machine.gate.holds(Thread.currentThread())) {
            return;
        }
        lock.lock();
        try {
            if (!closed) {
                List<String> blocking = machine.gate.close(PATIENCE_MILLIS);
                if (!blocking.isEmpty()) {
                    misconduct.add("an exit handler went while " + String.join(", ", blocking) + " may still have been in it");
                }
                reopen();
            }
        } finally {
            lock.unlock();
        }
    }

    @Override
    public List<SwapReport> reports() {
        Attachment now = current;
        if (now != null) {
            reports.rebuilt(now.lease().allocated());
        }
        return reports.all();
    }

    @Override
    public List<String> misconduct() {
        return List.copyOf(misconduct);
    }

    @Override
    public void audit(Consumer<String> violations) {
        alone("to audit", attachment -> {
            if (attachment == null) {
                return;
            }
            boolean[] isolated = {true};
            attachment.isolation(line -> {
                isolated[0] = false;
                violations.accept(line);
            });
            if (isolated[0]) {
                // Structures that lead out of the lease are none that the MMU could walk.
                attachment.mmu().audit(auditClock, violations);
            }
        });
    }

    /** Gives up the MMU for good; the gate stays closed. */
    void end() {
        lock.lock();
        try {
            closed = true;
            Attachment old = current;
            force("the machine is closed");
            if (old != null) {
                giveUp(old, old.guard().failure() == null);
            }
            engines.end();
        } finally {
            lock.unlock();
        }
    }

    boolean closed() {
        return closed;
    }

    void requireOpen() {
        if (closed) {
            throw new MachineException("the machine is closed");
        }
    }

    /** @throws MachineException if the caller is inside the gate, and would wait for itself */
    void refuseInside() {
        if (machine.gate.holds(Thread.currentThread())) {
            throw new MachineException("this was asked for from inside the gate, by " + Thread.currentThread().getName()
                    + ": it would wait for itself");
        }
    }

    private static RuntimeException plain(Throwable e) {
        if (e instanceof Error error && !(e instanceof LinkageError)) {
            throw error;
        }
        return e instanceof MachineException known ? known : new MachineException(String.valueOf(e.getMessage()));
    }
}
