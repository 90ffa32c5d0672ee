package org.penumbra.testkit.contract;

import java.util.SplittableRandom;
import org.penumbra.api.machine.Machine;
import org.penumbra.testkit.contract.Subject.Bench;
import org.penumbra.testkit.contract.Subject.Setup;

/**
 * A random guest on a machine: what disturbances work on.
 *
 * @param random the run's chance, for everything but the guest
 */
record GuestRun(Subject subject, Setup setup, Bench bench, Probe probe, RandomGuest guest, SplittableRandom random) {
    Machine machine() {
        return bench.machine();
    }

    /** True once in {@code n} times. */
    boolean chance(int n) {
        return random.nextInt(n) == 0;
    }

    /** A frame in play. */
    long gfn() {
        long[] pool = guest.layout.pool;
        long[] pages = guest.layout.pages;
        int i = random.nextInt(pool.length + pages.length);
        return (i < pool.length ? pool[i] : pages[i - pool.length]) >>> 12;
    }
}
