package org.penumbra.vmx;

import org.penumbra.api.guest.GuestState;
import org.penumbra.api.observe.Counters;
import org.penumbra.api.observe.Counters.Counter;

/** Which of a guest hypervisor (L1) and its guest (L2) runs on one vCPU by one extension, and how often that has changed. Used by its thread. */
final class NestedRun {
    private final Counter entries;
    private final Counter exits;
    private final Counter reflected;
    /** What L1 is while L2 runs; null while it runs itself. */
    private GuestState hypervisor;
    private boolean ran;

    NestedRun(Counters counters) {
        this.entries = counters.counter("nested_run");
        this.exits = counters.counter("nested_exits");
        this.reflected = counters.counter("nested_exits_reflected");
    }

    /** L1, which is {@code l1}, enters L2. */
    void enter(GuestState l1) {
        entries.increment();
        ran = true;
        hypervisor = l1;
    }

    /** L2 has an exit, be it L1's or not. */
    void exit() {
        exits.increment();
    }

    /** Leaves L2 for L1, which is the answer. */
    GuestState leave() {
        GuestState l1 = hypervisor;
        hypervisor = null;
        reflected.increment();
        return l1;
    }

    /** True while L2 runs. */
    boolean running() {
        return hypervisor != null;
    }

    /** True if an L2 has ever run. */
    boolean ran() {
        return ran;
    }

    /** L1 while L2 runs; null while it runs itself. */
    GuestState hypervisor() {
        return hypervisor;
    }
}
