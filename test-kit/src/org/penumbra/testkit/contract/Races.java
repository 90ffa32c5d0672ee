package org.penumbra.testkit.contract;

import java.util.concurrent.CountDownLatch;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.machine.HostPages;
import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.mmu.MmuHost;
import org.penumbra.api.mmu.Resolution;

/**
 * In the middle of a fault something else happens: after the design has read an entry of the guest's tables another vCPU writes it, as
 * an emulated store does; after it has looked up a host frame the host moves that frame. It happens on another thread, while the fault
 * waits until it is over or waits itself for a lock that the fault holds. Either way it is over when the fault is.
 */
final class Races implements Disturbance, Probe.Intruder {
    private static final int RARITY = 6;
    private static final long PATIENCE_MILLIS = 10_000;

    private final GuestRun run;
    private Thread other;
    private volatile RuntimeException failure;
    /** Something has happened in this fault; it was a store. */
    private boolean once;
    private boolean stored;

    Races(GuestRun run) {
        this.run = run;
        run.probe().intruder = this;
    }

    @Override
    public String happen() {
        RuntimeException e = failure;
        return e == null ? "" : "an event during a fault failed: " + e.getMessage();
    }

    @Override
    public void read(long gpa) {
        if (!once && run.chance(3 * RARITY)) {
            int level = 1 + run.random().nextInt(Math.max(1, run.guest().layout.levels));
            int width = run.guest().layout.entryBytes;
            if (inPlay(gpa, width)) {
                stored = true;
                meanwhile(() -> store(gpa, width, run.guest().maker.entry(level)));
            }
        }
    }

    /** True of an entry that random guests change; others keep the guest alive. */
    private boolean inPlay(long gpa, int width) {
        long frame = (gpa & -GuestLayout.PAGE) - run.base();
        for (long pool : run.guest().layout.pool) {
            if (pool == frame) {
                return (gpa & GuestLayout.PAGE - 1) / width < 2;
            }
        }
        return false;
    }

    /** What another vCPU's emulated store does: memory, then word to the design. */
    private void store(long gpa, int width, long value) {
        MmuHost host = run.probe().host;
        CycleClock clock = new CycleClock(run.subject().hardware(run.setup().mode()));
        GuestMemory memory = host.guestMemory(clock);
        memory.pfn(gpa >>> 12, true);
        memory.store(gpa, width, value);
        run.machine().checker().written(memory.current(gpa >>> 12) << 12 | gpa & 0xfff, width);
        run.probe().mmu.guestTableWritten(gpa, width, clock);
    }

    @Override
    public void lookedUp(long gfn) {
        if (!once && run.chance(RARITY)) {
            HostPages pages = run.machine().hostPages();
            int kind = run.random().nextInt(9);
            long another = run.gfn();
            meanwhile(() -> HostWork.event(pages, kind, gfn, another));
        }
    }

    private void meanwhile(Runnable event) {
        once = true;
        CountDownLatch begun = new CountDownLatch(1);
        other = new Thread(() -> {
            begun.countDown();
            try {
                event.run();
            } catch (RuntimeException e) {
                failure = e;
            }
        }, "contract intruder");
        other.setDaemon(true);
        other.start();
        try {
            begun.await();
            while (other.getState() == Thread.State.RUNNABLE) {
                Thread.onSpinWait();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** A page fault for the guest is one of before the store, and would be delivered after it: the guest repeats the access instead. */
    @Override
    public Resolution resolved(Resolution answer) {
        once = false;
        boolean outdated = stored && answer == Resolution.INJECT;
        stored = false;
        Thread t = other;
        other = null;
        if (t != null) {
            try {
                t.join(PATIENCE_MILLIS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
        return outdated ? Resolution.RETRY : answer;
    }

    @Override
    public void close() {
        run.probe().intruder = null;
    }
}
