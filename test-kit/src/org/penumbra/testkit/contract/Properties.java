package org.penumbra.testkit.contract;

import java.util.List;

/** Every property of the contract. */
final class Properties {
    private Properties() {}

    static List<Property> all() {
        return List.of(
                new LatticeSample(),
                new GuestProperty("random-guests",
                        "whatever guests of one and of several vCPUs do to their tables, each translation is one that the architecture allows",
                        run -> List.of()),
                new GuestProperty("host-events",
                        "pages that are swapped out, migrated, merged, collapsed, split and aged under a random guest: it notices nothing",
                        run -> List.of(new HostWork(run))),
                new GuestProperty("races",
                        "a host event, or another vCPU's store to the tables, in the middle of a fault leaves nothing outdated behind",
                        run -> List.of(new Races(run))),
                new GuestProperty("dirty-log",
                        "no write of guest, hypervisor or processor is missing in a harvest of the dirty log",
                        run -> List.of(new DirtyOracle(run))),
                new GuestProperty("write-tracking",
                        "every write to a tracked frame is reported, whichever slot and address space it comes through",
                        run -> List.of(new SlotChanges(run, false), new TrackedWrites(run))),
                new GuestProperty("slots",
                        "slots that go, come back and show other pages are what the guest sees at its next access",
                        run -> List.of(new SlotChanges(run, true))),
                new GuestProperty("swaps",
                        "replaced in the middle of a random guest, with other settings each time, the design takes over and leaves nothing behind",
                        run -> List.of(new Swaps(run, 4))),
                new GuestProperty("counters",
                        "faults are counted under KVM's names, each with one outcome at most",
                        run -> List.of(new Counting(run))),
                new GuestProperty("several-guests",
                        "two guests of one hypervisor, with tables, roots and tags of their own, take turns under host events and swaps",
                        run -> List.of(new HostWork(run), new Swaps(run, 30)), 2),
                new Limited(new GuestProperty("page-limit",
                        "with as few table pages as the design can be held to, a random guest notices nothing",
                        run -> List.of(new HostWork(run), new DirtyOracle(run)))),
                new GuestProperty("everything",
                        "host events, races, dirty logging and swaps together",
                        run -> List.of(new Races(run), new HostWork(run), new DirtyOracle(run), new Swaps(run, 30))),
                new ThreadedGuests());
    }
}
