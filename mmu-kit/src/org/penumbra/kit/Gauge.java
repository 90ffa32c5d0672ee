package org.penumbra.kit;

import java.util.concurrent.atomic.LongAdder;
import org.penumbra.api.observe.Counters.Counter;

/**
 * A counter of what there is now and not of what has happened. An MMU counts its own and takes them back when it closes, so that another
 * in its place begins at what it has itself. Any thread.
 */
public final class Gauge {
    private final Counter counter;
    private final LongAdder own = new LongAdder();

    /** What there is of an MMU, shown in {@code counter}. */
    public Gauge(Counter counter) {
        this.counter = counter;
    }

    /** {@code n} more; fewer if it is negative. */
    public void add(long n) {
        counter.add(n);
        own.add(n);
    }

    /** There are none any more. */
    public void takeBack() {
        counter.add(-own.sumThenReset());
    }
}
