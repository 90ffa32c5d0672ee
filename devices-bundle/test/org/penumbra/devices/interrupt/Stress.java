package org.penumbra.devices.interrupt;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.penumbra.api.interrupt.ControllerState;
import org.penumbra.api.interrupt.EventDescriptor;
import org.penumbra.api.interrupt.GsiRoute;
import org.penumbra.api.interrupt.Interrupts;

/**
 * Devices that signal, vCPUs that take interrupts, and somebody who changes routes and controllers all the while.
 *
 * <p>Every signal of a GSI has a ticket: the count of signals that had begun. A delivery covers the tickets that it sees when its
 * acknowledge has returned. A device signals in bursts and after each waits until its last ticket is covered, so a signal that is
 * lost stops it for good; after a burst of 1, sent when nothing was on its way, there must have been exactly one delivery.
 */
final class Stress {
    /** Kinds of GSI. */
    enum Kind {
        /** Edge; routed to its pin, or as a message to either vCPU. */
        EDGE,
        /** Level with resampling, on one pin. */
        RESAMPLE,
        /** Level with resampling, moved between two pins: each move of a high line may deliver once more. */
        MOVED,
        /** Edge, signalled by several devices, and therefore without bursts that are checked to have one delivery. */
        SHARED;

        boolean edge() {
            return this == EDGE || this == SHARED;
        }
    }

    /** One GSI with its device's side. */
    static final class Source {
        final Kind kind;
        final int gsi;
        final EventDescriptor event = Board.event();
        final EventDescriptor resample;
        final AtomicLong issued = new AtomicLong();
        final AtomicLong deliveries = new AtomicLong();
        final AtomicLong covered = new AtomicLong();
        final AtomicLong resampled = new AtomicLong();
        /** Bursts of 1 that were checked to have exactly one delivery. */
        final AtomicLong singles = new AtomicLong();
        /** Times that the GSI was routed to another pin. */
        volatile long moves;
        int pin;

        Source(Kind kind, int gsi) {
            this.kind = kind;
            this.gsi = gsi;
            pin = gsi;
            resample = kind.edge() ? null : Board.event();
        }

        void signal() {
            issued.incrementAndGet();
            event.tryWrite(1);
        }

        /** Counts what came back; true if it was anything. */
        boolean drain() {
            long n = resample == null ? 0 : resample.tryRead();
            resampled.addAndGet(n);
            return n > 0;
        }

        /** Everything that was signalled has been delivered and, where each delivery is to be, resampled. */
        boolean quiet() {
            return covered.get() == issued.get() && (kind != Kind.RESAMPLE || resampled.get() == deliveries.get());
        }
    }

    static final int VCPUS = 2;
    private static final int MSI_VECTORS = 0x80;

    final FakeReference first = new FakeReference("x2apic", 0);
    final FakeReference second = new FakeReference("second", 0);
    final ControllerRegistry registry = new ControllerRegistry();
    final Thread[] vcpus = new Thread[VCPUS];
    private final AtomicBoolean[] halted = {new AtomicBoolean(), new AtomicBoolean()};
    final List<Source> sources = new ArrayList<>();
    private final Source[] byPin = new Source[ControllerState.PINS];
    final List<Throwable> failures = new CopyOnWriteArrayList<>();
    final Interrupts interrupts;
    final long deadline;
    volatile boolean stop;
    /** Ends {@link #churn}. */
    volatile boolean calm;
    long routeChanges;
    long swaps;
    long absences;

    Stress(long seconds) {
        deadline = System.nanoTime() + seconds * 1_000_000_000L;
        registry.bindController(new X2ApicFactory(), first);
        registry.bindController(new X2ApicFactory(), second);
        interrupts = registry.create(VCPUS, this::kick);
    }

    /** A GSI whose pin is its own number; one that is moved has the pin above too. */
    Source source(Kind kind, int gsi) {
        Source s = new Source(kind, gsi);
        sources.add(s);
        for (int pin = gsi; pin <= gsi + (kind == Kind.MOVED ? 1 : 0); pin++) {
            byPin[pin] = s;
            interrupts.redirect(pin, ControllerState.entry(0x30 + pin, !kind.edge(), pin % VCPUS));
        }
        interrupts.irqfd(s.event, gsi, s.resample);
        return s;
    }

    private void kick(int vcpu) {
        if (halted[vcpu].compareAndSet(true, false)) {
            LockSupport.unpark(vcpus[vcpu]);
        }
    }

    /** A thread whose failure fails the run. */
    Thread thread(String name, Runnable body) {
        return new Thread(
                () -> {
                    try {
                        body.run();
                    } catch (Throwable t) {
                        failures.add(t);
                        stop = true;
                    }
                },
                name);
    }

    boolean failed() {
        return !failures.isEmpty();
    }

    /** Both vCPUs have halted with nothing to take, and no device has anything outstanding; for use when all is calm. */
    boolean idle() {
        sources.forEach(Source::drain);
        return sources.stream().allMatch(Source::quiet)
                && halted[0].get()
                && halted[1].get()
                && !interrupts.pending(0)
                && !interrupts.pending(1);
    }

    void stop() throws InterruptedException {
        stop = true;
        for (Thread t : vcpus) {
            LockSupport.unpark(t);
            t.join();
        }
    }

    void startVcpus() {
        for (int n = 0; n < VCPUS; n++) {
            int vcpu = n;
            vcpus[n] = thread("vcpu " + n, () -> guest(vcpu));
        }
        for (Thread t : vcpus) {
            t.start();
        }
    }

    /** Takes interrupts, now and then one inside another; halts when nothing comes, and then only a kick wakes it. */
    private void guest(int vcpu) {
        int idle = 0;
        for (long n = 0; !stop; n++) {
            if (interrupts.pending(vcpu)) {
                idle = 0;
                int outer = interrupts.acknowledge(vcpu);
                if (outer < 0) {
                    continue;
                }
                delivered(vcpu, outer);
                if (n % 8 == 0 && interrupts.pending(vcpu)) {
                    int inner = interrupts.acknowledge(vcpu);
                    if (inner >= 0) {
                        check(inner >> 4 > outer >> 4, "0x%x taken inside 0x%x", inner, outer);
                        delivered(vcpu, inner);
                        interrupts.endOfInterrupt(vcpu);
                    }
                }
                interrupts.endOfInterrupt(vcpu);
            } else if (++idle < 50) {
                Thread.yield();
            } else {
                halted[vcpu].set(true);
                while (halted[vcpu].get() && !interrupts.pending(vcpu) && !stop) {
                    LockSupport.park(this);
                }
                halted[vcpu].set(false);
                idle = 0;
            }
        }
    }

    private void delivered(int vcpu, int vector) {
        check(vcpu == vector % VCPUS, "vector 0x%x came to vCPU %d", vector, vcpu);
        Source s = of(vector);
        long n = s.deliveries.incrementAndGet();
        check(n <= s.issued.get() + s.moves, "%s GSI %d: delivery %d of %d signals", s.kind, s.gsi, n, s.issued.get());
        s.covered.accumulateAndGet(s.issued.get(), Math::max);
    }

    private void breathe(long spins, Source s) {
        Thread.yield();
        if (spins % 1024 == 0 && System.nanoTime() > deadline) {
            throw new AssertionError(String.format("%s GSI %d: of %d signals %d are covered, of %d deliveries %d resampled; %s",
                    s.kind, s.gsi, s.issued.get(), s.covered.get(), s.deliveries.get(), s.resampled.get(), interrupts.state()));
        }
    }

    /**
     * Nothing of {@code s} is on its way. Covered tickets are not enough: a delivery can begin after the last ticket was drawn
     * and before its signal was sent, and the signal then brings one more.
     */
    private boolean settled(Source s) {
        if (!interrupts.controllerPresent()) {
            return false;
        }
        ControllerState state = interrupts.state();
        long[] irr = state.irr();
        long[] isr = state.isr();
        for (int i = 0; i < irr.length; i++) {
            for (long bits = irr[i] | isr[i]; bits != 0; bits &= bits - 1) {
                if (of(64 * (i % 4) + Long.numberOfTrailingZeros(bits)) == s) {
                    return false;
                }
            }
        }
        return s.quiet();
    }

    private Source of(int vector) {
        return byPin[pin(vector)];
    }

    private static int pin(int vector) {
        return vector >= MSI_VECTORS ? (vector - MSI_VECTORS) / VCPUS : vector - 0x30;
    }

    /** A device with the sources {@code mine}: {@code count} signals each, in bursts. */
    void device(long count, long seed, List<Source> mine) {
        SplittableRandom random = new SplittableRandom(seed);
        for (long left = count; left > 0 && !stop; ) {
            int burst = (int) Math.min(left, random.nextBoolean() ? 1 : 1 + random.nextInt(128));
            left -= burst;
            mine.forEach(s -> burst(s, burst));
        }
    }

    private void burst(Source s, int burst) {
        boolean single = burst == 1 && (s.kind == Kind.EDGE || s.kind == Kind.RESAMPLE);
        for (long spins = 1; single && !stop && !settled(s); spins++) {
            s.drain();
            breathe(spins, s);
        }
        long before = s.deliveries.get();
        for (int i = 0; i < burst; i++) {
            s.signal();
        }
        long last = s.issued.get();
        for (long spins = 1; !stop && (s.kind == Kind.SHARED ? s.covered.get() < last : !s.quiet()); spins++) {
            if (s.drain() && s.covered.get() < s.issued.get()) {
                s.signal();
            }
            breathe(spins, s);
        }
        if (single && !stop) {
            long got = s.deliveries.get() - before;
            check(got == 1, "%s GSI %d: %d deliveries for one signal", s.kind, s.gsi, got);
            s.singles.incrementAndGet();
        }
    }

    /** Changes routes and controllers until {@link #calm}. */
    void churn(long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        while (!stop && !calm) {
            int what = random.nextInt(16);
            if (what < 10) {
                interrupts.routes(routes(random));
                routeChanges++;
            } else if (what < 15) {
                interrupts.swapController(random.nextBoolean() ? "second" : "x2apic");
                swaps++;
            } else {
                FakeReference gone = interrupts.controller().equals("x2apic") ? first : second;
                registry.unbindController(gone);
                check(!interrupts.controllerPresent(), "a controller whose service has gone is in charge");
                LockSupport.parkNanos(random.nextInt(100_000));
                registry.bindController(new X2ApicFactory(), gone);
                absences++;
            }
            LockSupport.parkNanos(random.nextInt(50_000));
        }
    }

    private Map<Integer, GsiRoute> routes(SplittableRandom random) {
        Map<Integer, GsiRoute> table = new TreeMap<>();
        for (Source s : sources) {
            int vcpu = random.nextInt(VCPUS);
            boolean away = random.nextBoolean();
            if (s.kind.edge() && away) {
                table.put(s.gsi, new GsiRoute.Msi(Board.address(vcpu), MSI_VECTORS + VCPUS * s.gsi + vcpu));
            } else {
                int pin = s.kind == Kind.MOVED && away ? s.gsi + 1 : s.gsi;
                s.moves += pin == s.pin ? 0 : 1;
                s.pin = pin;
                table.put(s.gsi, new GsiRoute.Pin(pin));
            }
        }
        return table;
    }

    private static void check(boolean condition, String format, Object... arguments) {
        if (!condition) {
            throw new AssertionError(String.format(format, arguments));
        }
    }
}
