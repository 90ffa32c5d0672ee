package org.penumbra.testkit.contract;

import org.penumbra.api.machine.MemorySlots;

/**
 * Memory in several slots whose borders lie inside large pages. Between turns a slot goes and comes back: as it was, or, where it has
 * no tables, with other pages behind it.
 */
final class SlotChanges implements Disturbance {
    private static final long OTHER_PAGES = 1L << 30;

    private final GuestRun run;
    private final MemorySlots slots;
    private final long[] border;
    private final boolean others;
    /** Of the slot without tables: whether the other pages are behind it. */
    private boolean other;

    /** @param others whether other pages come behind a slot */
    SlotChanges(GuestRun run, boolean others) {
        this.run = run;
        this.others = others;
        this.slots = run.machine().memorySlots();
        GuestLayout layout = run.guest().layout;
        border = new long[] {
            0, run.base() + layout.region(1) + 2 * GuestLayout.PAGE, run.base() + layout.region(2) + 3 * GuestLayout.PAGE,
            run.base() + layout.region(3), run.base() + layout.region(3) + (1 << 20), run.setup().memoryBytes()
        };
        slots.set(0, 0, 0, 0, 0);
        for (int i = 0; i + 1 < border.length; i++) {
            slots.set(i, 0, border[i], border[i + 1] - border[i], border[i]);
        }
    }

    @Override
    public String happen() {
        if (run.chance(4)) {
            int i = run.random().nextInt(border.length - 1);
            long bytes = border[i + 1] - border[i];
            slots.set(i, 0, 0, 0, 0);
            other = others && i == 3 ? run.random().nextBoolean() : other;
            slots.set(i, 0, border[i], bytes, border[i] + (i == 3 && other ? OTHER_PAGES : 0));
        }
        return "";
    }
}
