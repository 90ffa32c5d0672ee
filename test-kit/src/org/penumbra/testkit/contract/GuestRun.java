package org.penumbra.testkit.contract;

import java.util.SplittableRandom;
import org.penumbra.api.machine.Machine;
import org.penumbra.testkit.contract.Subject.Bench;
import org.penumbra.testkit.contract.Subject.Setup;
import org.penumbra.testkit.nested.NestedGuest;

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

    /** The machine's guest-physical address at which the random guest's address 0 lies. */
    long base() {
        return NestedGuest.base(subject.nesting());
    }

    /** A frame in play, of the machine. */
    long gfn() {
        long[] pool = guest.layout.pool;
        long[] pages = guest.layout.pages;
        int i = random.nextInt(pool.length + pages.length);
        long neighbour = guest.guests() > 1 && chance(2) ? GuestLayout.MEMORY : 0;
        return base() + neighbour + (i < pool.length ? pool[i] : pages[i - pool.length]) >>> 12;
    }
}
