package org.penumbra.kit;

import org.penumbra.api.observe.Counters;

/** How many leaf entries map guest memory, by their size: {@code pages_4k}, {@code pages_2m}, {@code pages_1g}. KVM: kvm_update_page_stats. */
public final class PageGauges {
    private final Gauge[] byLevel;

    public PageGauges(Counters counters) {
        byLevel = new Gauge[] {
            new Gauge(counters.counter("pages_4k")), new Gauge(counters.counter("pages_2m")), new Gauge(counters.counter("pages_1g"))
        };
    }

    /** {@code n} more leaves of {@code level}; fewer if it is negative. */
    public void add(int level, long n) {
        byLevel[level - 1].add(n);
    }

    /** The MMU maps nothing any more. */
    public void takeBack() {
        for (Gauge gauge : byLevel) {
            gauge.takeBack();
        }
    }
}
