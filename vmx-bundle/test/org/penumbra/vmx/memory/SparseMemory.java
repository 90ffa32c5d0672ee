package org.penumbra.vmx.memory;

import java.util.Map;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.memory.GuestMemory;
import org.penumbra.testkit.fixture.FlatProfile;

/** Run as a process of its own: touches 1 GiB of a guest of 1 TiB and says what that costs. */
final class SparseMemory {
    private static final long GUEST = 1L << 40;
    private static final long PAGES = 1 << 18;

    private SparseMemory() {}

    /** @param arguments the distance between two pages in bytes */
    public static void main(String... arguments) {
        long distance = Long.parseLong(arguments[0]);
        long before = used();
        HostMemory host = new HostMemory(GUEST, 1, false);
        long empty = used();
        host.dirty().activate(true);
        GuestMemory guest = host.view(new CycleClock(new FlatProfile(Map.of())), new Fence());
        for (long i = 0; i < PAGES; i++) {
            guest.store(i * distance % GUEST + i * distance / GUEST * 4096, 8, i + 1);
        }
        long after = used();
        if (guest.load((PAGES - 1) * distance, 8) != PAGES || host.dirty().count() != PAGES) {
            throw new IllegalStateException("what was stored is not there");
        }
        System.out.println((empty - before) + " " + (after - empty) + " " + PAGES * 4096);
    }

    private static long used() {
        System.gc();
        return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
    }
}
