package org.penumbra.testkit.contract;

import org.penumbra.api.machine.HostPages;

/** What a host's memory management does: pages are swapped out, migrated, merged, collapsed, split and aged. */
final class HostWork implements Disturbance {
    private final GuestRun run;
    private final HostPages pages;

    HostWork(GuestRun run) {
        this.run = run;
        this.pages = run.machine().hostPages();
    }

    @Override
    public String happen() {
        for (int n = run.random().nextInt(4); n > 0; n--) {
            event(pages, run.random().nextInt(9), run.gfn(), run.gfn());
        }
        return "";
    }

    /** One event of {@code kind} 0 to 8 for {@code gfn}, and for {@code other} if it concerns two. */
    static void event(HostPages pages, int kind, long gfn, long other) {
        switch (kind) {
            case 0, 1, 2 -> pages.swapOut(gfn);
            case 3, 4 -> pages.migrate(gfn);
            case 5 -> pages.collapse(gfn);
            case 6 -> pages.split(gfn);
            case 7 -> pages.young(gfn);
            default -> pages.merge(gfn, other);
        }
    }
}
