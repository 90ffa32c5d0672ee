package org.penumbra.testkit.contract;

import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MemorySlots;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.verify.Nesting;
import org.penumbra.testkit.contract.Subject.Bench;
import org.penumbra.testkit.contract.Subject.Setup;
import org.penumbra.testkit.nested.Meddler;
import org.penumbra.testkit.nested.NestedGuest;
import org.penumbra.testkit.script.ScriptEngineFactory;

/**
 * A thread per vCPU, with host events on one more thread, and changes of slots, harvests, audits and swaps on another. What the guest does follows from the
 * seed, when what happens does not: a failure may need some runs to come again.
 */
final class ThreadedGuests implements Property {
    private static final int VCPUS = 3;
    private static final int ROUNDS = 40;
    /** The number of a slot that comes and goes. */
    private static final int ALIAS = 7;
    private static final long OPERATIONS = 2_000;

    @Override
    public String name() {
        return "threads";
    }

    @Override
    public String description() {
        return "with a thread per vCPU, under host events, changes of slots, harvests, audits and swaps from other threads, each access has the one outcome "
                + "that it can have, and no write is missing in the dirty log";
    }

    @Override
    public int configurations(Subject subject) {
        return (Limited.meant(subject) ? 4 : 2) * subject.modes().size();
    }

    private static Setup setup(Subject subject, long seed) {
        List<PagingMode> modes = subject.modes();
        return new Setup(modes.get((int) Math.floorMod(seed, (long) modes.size())), NestedGuest.memoryBytes(subject.nesting(), 1, GuestLayout.MEMORY),
                1 + (int) (Math.floorDiv(seed, (long) modes.size()) & 1), VCPUS, true, false, ScriptEngineFactory.NAME);
    }

    private static boolean limited(Subject subject, long seed) {
        return Limited.meant(subject) && (Math.floorDiv(seed, (long) subject.modes().size()) & 2) != 0;
    }

    @Override
    public String configuration(Subject subject, long seed) {
        Setup setup = setup(subject, seed);
        return setup.mode().label() + ", vCPUs: " + VCPUS + ", a thread each, host pages of level " + setup.hostPageLevel()
                + (limited(subject, seed) ? ", as few table pages as can be" : "");
    }

    @Override
    public String run(Subject any, long seed) {
        Subject subject = limited(any, seed) ? Limited.limited(any) : any;
        Setup setup = setup(subject, seed);
        int bits = (int) subject.hardware(setup.mode()).figure("cpu.maxphyaddr");
        ThreadedGuest guest = new ThreadedGuest(setup.mode(), VCPUS, bits, seed);
        Probe probe = new Probe(subject.design());
        long base = NestedGuest.base(subject.nesting());
        List<Long> frames = guest.frames().stream().map(frame -> base + frame).toList();
        try (Bench bench = subject.bench(setup, booted(guest, subject.nesting(), bits, seed), probe)) {
            Machine machine = bench.machine();
            FrameCopies copies = new FrameCopies(machine, probe, subject.hardware(setup.mode()), frames);
            String wrong = run(subject, bench, guest, frames, copies, seed);
            return wrong.isEmpty() ? copies.compare() : wrong;
        }
    }

    /** Under a guest hypervisor that leaves pages where they are, so that the guest knows what its next access comes to. */
    private static GuestBoot booted(ThreadedGuest guest, Nesting nesting, int physicalAddressBits, long seed) {
        if (nesting == Nesting.NONE) {
            return guest;
        }
        long[] frames = guest.frames().stream().mapToLong(f -> f).toArray();
        Meddler meddler = nesting.hasTables() ? new StageMeddling(new SplittableRandom(seed), frames, frames, false) : Meddler.NONE;
        return new NestedGuest(List.of(guest), nesting, physicalAddressBits, meddler);
    }

    private static String run(Subject subject, Bench bench, ThreadedGuest guest, List<Long> frames, FrameCopies copies, long seed) {
        Machine machine = bench.machine();
        AtomicBoolean over = new AtomicBoolean();
        AtomicReference<String> wrong = new AtomicReference<>("");
        SplittableRandom chance = new SplittableRandom(~seed);
        SplittableRandom hosts = chance.split();
        Thread[] others = {
            meanwhile(over, wrong, () -> HostWork.event(machine.hostPages(), hosts.nextInt(9), gfn(frames, hosts), gfn(frames, hosts))),
            meanwhile(over, wrong, () -> {
                switch (chance.nextInt(8)) {
                    case 0 -> machine.hotSwap().swap(bench.design(), subject.settings());
                    case 1 -> alias(machine.memorySlots(), guest.layout, NestedGuest.base(subject.nesting()), chance);
                    case 2 -> machine.hotSwap().audit(found -> wrong.compareAndSet("", "audit: " + found));
                    default -> copies.round();
                }
            })
        };
        try {
            for (int round = 0; round < ROUNDS && wrong.get().isEmpty() && guest.problem().isEmpty(); round++) {
                machine.run(OPERATIONS);
            }
        } finally {
            over.set(true);
            for (Thread t : others) {
                join(t);
            }
        }
        List<String> misconduct = machine.hotSwap().misconduct();
        return !guest.problem().isEmpty() ? guest.problem() : misconduct.isEmpty() ? wrong.get() : misconduct.get(0);
    }

    /** A slot that shows pages of the guest elsewhere comes, moves or goes: the guest does not look there, but what it uses is touched. */
    private static void alias(MemorySlots slots, GuestLayout layout, long base, SplittableRandom random) {
        boolean there = slots.all().stream().anyMatch(s -> s.id() == ALIAS);
        boolean goes = there && random.nextBoolean();
        long gpa = (2 + random.nextInt(4)) * GuestLayout.MEMORY;
        if (!there || goes || slots.all().stream().noneMatch(s -> s.baseGfn() << 12 == gpa)) {
            slots.set(ALIAS, 0, goes ? 0 : gpa, goes ? 0 : layout.region(2) - layout.region(1), goes ? 0 : base + layout.region(2));
        }
    }

    private static long gfn(List<Long> frames, SplittableRandom random) {
        return frames.get(random.nextInt(frames.size())) >>> 12;
    }

    private static Thread meanwhile(AtomicBoolean over, AtomicReference<String> wrong, Runnable work) {
        Thread t = new Thread(() -> {
            try {
                while (!over.get()) {
                    work.run();
                    Thread.sleep(0, 200_000);
                }
            } catch (RuntimeException e) {
                wrong.compareAndSet("", "an event beside the guest failed: " + e.getMessage());
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }, "contract events");
        t.setDaemon(true);
        t.start();
        return t;
    }

    private static void join(Thread t) {
        try {
            t.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
