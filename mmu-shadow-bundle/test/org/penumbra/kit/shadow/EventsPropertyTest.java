package org.penumbra.kit.shadow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.penumbra.testkit.fixture.GuestTables.A;
import static org.penumbra.testkit.fixture.GuestTables.D;
import static org.penumbra.testkit.fixture.GuestTables.P;
import static org.penumbra.testkit.fixture.GuestTables.U;
import static org.penumbra.testkit.fixture.GuestTables.W;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Label;
import net.jqwik.api.Property;
import org.penumbra.api.clock.Work;
import org.penumbra.api.memory.WriteTracking;
import org.penumbra.api.mmu.MmuContext;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PageFaultError;
import org.penumbra.shadow.ShadowMmuFactory;
import org.penumbra.shadow.ShadowSettings;
import org.penumbra.testkit.fixture.FixtureHost;
import org.penumbra.testkit.fixture.GuestTables;

/** Faults of two vCPUs in two address spaces, and whatever can happen to their shadow pages in between, in random order. */
class EventsPropertyTest {
    private static final int[] ACCESSES = {Access.READ, Access.WRITE, Access.FETCH};
    private static final int FRAMES = 4096;
    private static final long PERIOD = 2000;
    private static final long LEAF_TABLES = 200;
    private static final long[] RANGES = {0x40_0000_0000L, 0x40_0020_0000L, 0x41_0000_0000L, 0x7f_ffe0_0000L};

    private Random random;
    private FixtureHost host;
    private ShadowPaging mmu;
    private final GuestTables[] spaces = new GuestTables[2];
    private final MmuContext[] vcpus = new MmuContext[2];
    private final int[] running = new int[2];
    private WriteTracking.Request tracking;
    private boolean logging;
    private long generation;

    @Property(tries = 15)
    @Label("S19 S06 S10 S13 S17 S23 S24 after any event, in any order, the audit finds nothing wrong")
    void audited(@ForAll long seed) {
        random = new Random(seed);
        ShadowMmuFactory factory = new ShadowMmuFactory();
        host = new FixtureHost(factory, 2).with(ShadowSettings.PAGE_LIMIT, "64")
                .with(ShadowSettings.NX_HUGE_PAGES, random.nextBoolean() ? "on" : "off").with(ShadowSettings.NX_RECOVERY, "" + PERIOD);
        tracking = () -> {};
        logging = false;
        generation = 0;
        mmu = (ShadowPaging) factory.create(host);
        for (int i = 0; i < 2; i++) {
            spaces[i] = new GuestTables(host, 16 + 64 * i);
            vcpus[i] = mmu.newContext(host);
            switchTo(i, i);
        }
        for (int n = 0; n < 400; n++) {
            int what = random.nextInt(24);
            event(what);
            List<String> violations = new ArrayList<>();
            mmu.audit(host.clock(), violations::add);
            assertThat(violations).as("after event %d of kind %d", n, what).isEmpty();
        }
    }

    private void switchTo(int vcpu, int space) {
        running[vcpu] = space;
        vcpus[vcpu].load(spaces[space].state(), false);
        vcpus[vcpu].root();
    }

    private long gfn() {
        return random.nextInt(FRAMES);
    }

    private long gva() {
        return RANGES[random.nextInt(RANGES.length)] + ((long) random.nextInt(8) << 21) + (long) random.nextInt(4) * 0x4_1000;
    }

    private void event(int what) {
        int vcpu = random.nextInt(2);
        long gfn = gfn();
        switch (what) {
            case 0 -> switchTo(vcpu, random.nextInt(2));
            case 1 -> vcpus[vcpu].invalidatePage(gva());
            case 2, 3, 4 -> map(spaces[random.nextInt(2)]);
            case 5 -> mmu.guestTableWritten((16 + random.nextInt(30) << 12) + 3, 2, host.clock());
            case 6 -> hostPage(gfn);
            case 7 -> log();
            case 8 -> track(gfn);
            case 9 -> seldom(this::slots);
            case 10 -> host.clock().charge(Work.OPERATION, PERIOD);
            case 11 -> mmu.rearmDirty(gfn, host.clock());
            case 12 -> seldom(() -> mmu.reclaim(new Worker(host, host.clock())));
            default -> access(vcpu);
        }
    }

    /** What takes so much down that nothing would grow large if it came often. */
    private void seldom(Runnable event) {
        if (random.nextInt(8) == 0) {
            event.run();
        }
    }

    private void access(int vcpu) {
        MmuFault fault = new MmuFault();
        fault.gva = gva();
        fault.access = ACCESSES[random.nextInt(ACCESSES.length)] | Access.USER;
        fault.errorCode = random.nextInt(4) == 0 ? PageFaultError.PRESENT | PageFaultError.RESERVED : 0;
        if (random.nextInt(8) != 0) {
            // Otherwise it faults with the root that it entered with, be that obsolete by now or not.
            vcpus[vcpu].root();
        }
        vcpus[vcpu].resolve(fault);
    }

    /** An entry changes: to a frame, one that may be a table, a large page, or no memory. */
    private void map(GuestTables tables) {
        long gva = gva();
        int level = random.nextInt(3) == 0 ? 2 : 1;
        long gfn = target();
        tables.map(gva, 0, 2, 0);
        mmu.guestTableWritten(tables.entryGpa(gva, 2), 8, host.clock());
        long bits = P | W | U | (random.nextBoolean() ? A | D : 0);
        if (level == 2) {
            tables.entry(tables.entryGpa(gva, 2), (gfn & -512L) << 12 | bits | GuestTables.PS);
            return;
        }
        // Leaf tables of both address spaces are shared, and in frames of their own.
        long table = LEAF_TABLES + (gva >>> 21 & 7);
        tables.entry(tables.entryGpa(gva, 2), table << 12 | P | W | U);
        tables.entry(tables.entryGpa(gva, 1), gfn << 12 | bits);
        mmu.guestTableWritten(tables.entryGpa(gva, 1), 8, host.clock());
    }

    /** A frame, perhaps one with an upper table or a leaf table, or none. */
    private long target() {
        return switch (random.nextInt(6)) {
            case 0 -> FRAMES + 100;
            case 1 -> 16 + random.nextInt(100);
            case 2, 3 -> LEAF_TABLES + random.nextInt(8);
            default -> gfn();
        };
    }

    private void hostPage(long gfn) {
        host.hostPage(gfn, random.nextBoolean());
        mmu.hostRangeChanged(gfn & -512L, 512, host.clock());
    }

    private void log() {
        logging = !logging;
        host.logging(logging);
        if (logging) {
            mmu.startDirtyLog(host.clock());
        } else {
            mmu.stopDirtyLog(host.clock());
        }
    }

    private void track(long gfn) {
        tracking.close();
        tracking = host.track(gfn, (gpa, bytes) -> {});
        mmu.writeProtect(gfn, host.clock());
    }

    /** The slot ends elsewhere; now and then so many changes later that MMIO sptes cannot tell. */
    private void slots() {
        generation += random.nextInt(3) == 0 ? 1L << 19 : 2;
        host.slot(3000 + random.nextInt(FRAMES - 3000), generation);
        mmu.slotsChanged(0, FRAMES, host.clock());
    }
}
