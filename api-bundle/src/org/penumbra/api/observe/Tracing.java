package org.penumbra.api.observe;

import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.LongSupplier;

/**
 * The trace points of one machine, and who listens to them. While nobody does, passing one is a look at one word. Any thread.
 */
public final class Tracing {
    private record Subscription(long points, TraceListener listener) {}

    private final List<Subscription> subscriptions = new CopyOnWriteArrayList<>();
    /** Bit n: somebody listens to the point with ordinal n. */
    private volatile long wanted;

    /** Has {@code listener} hear {@code points} until the answer is closed. */
    public AutoCloseable listen(Set<TracePoint> points, TraceListener listener) {
        long mask = 0;
        for (TracePoint point : points) {
            mask |= bit(point);
        }
        Subscription subscription = new Subscription(mask, listener);
        subscriptions.add(subscription);
        recount();
        return () -> {
            subscriptions.remove(subscription);
            recount();
        };
    }

    private synchronized void recount() {
        long mask = 0;
        for (Subscription s : subscriptions) {
            mask |= s.points;
        }
        wanted = mask;
    }

    private static long bit(TracePoint point) {
        return 1L << point.ordinal();
    }

    /**
     * The way of one vCPU, or of the host, to tell.
     *
     * @param vcpu its number, −1 for the host
     * @param cycles its simulated cycles so far
     * @param operations operations it has retired so far
     */
    public Tracer tracer(int vcpu, LongSupplier cycles, LongSupplier operations) {
        return new Tracer(vcpu, cycles, operations);
    }

    /** Tells for one vCPU, or for the host. For one thread at a time. */
    public final class Tracer {
        private final int vcpu;
        private final LongSupplier cycles;
        private final LongSupplier operations;

        private Tracer(int vcpu, LongSupplier cycles, LongSupplier operations) {
            this.vcpu = vcpu;
            this.cycles = cycles;
            this.operations = operations;
        }

        /** True if somebody listens to {@code point}: asked before {@link #tell}, whose arguments need not be made otherwise. */
        public boolean on(TracePoint point) {
            return (wanted & bit(point)) != 0;
        }

        /** Tells of {@code point}, which has no fields. */
        public void tell(TracePoint point) {
            tell(point, 0, 0, 0, 0, 0, 0);
        }

        /** Tells of {@code point} with its fields. */
        public void tell(TracePoint point, long a, long b) {
            tell(point, a, b, 0, 0, 0, 0);
        }

        /** Tells of {@code point} with its fields. */
        public void tell(TracePoint point, long a, long b, long c, long d) {
            tell(point, a, b, c, d, 0, 0);
        }

        /** Tells of {@code point} with its fields. */
        public void tell(TracePoint point, long a, long b, long c, long d, long e, long f) {
            for (Subscription s : subscriptions) {
                if ((s.points & bit(point)) != 0) {
                    s.listener.passed(point, vcpu, cycles.getAsLong(), operations.getAsLong(), a, b, c, d, e, f);
                }
            }
        }
    }
}
