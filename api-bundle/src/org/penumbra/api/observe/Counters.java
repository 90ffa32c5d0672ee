package org.penumbra.api.observe;

import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.LongAdder;

/**
 * Named counters of one machine. Names are KVM's where KVM has one ({@code pf_taken}, {@code mmu_shadow_zapped} …). Get a
 * {@link Counter} once and keep it; counting is atomic, since several vCPUs share a counter.
 */
public final class Counters {
    /** A count of events. */
    public static final class Counter {
        private final LongAdder value = new LongAdder();

        private Counter() {}

        public void increment() {
            value.increment();
        }

        public void add(long n) {
            value.add(n);
        }

        public long value() {
            return value.sum();
        }
    }

    private final Map<String, Counter> byName = new TreeMap<>();

    /** The counter {@code name}, created at 0 when it is new. */
    public synchronized Counter counter(String name) {
        return byName.computeIfAbsent(name, n -> new Counter());
    }

    /** The values now, sorted by name. */
    public synchronized Map<String, Long> snapshot() {
        Map<String, Long> values = new TreeMap<>();
        byName.forEach((name, counter) -> values.put(name, counter.value()));
        return Collections.unmodifiableMap(values);
    }
}
