package org.penumbra.hardware.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Label;
import net.jqwik.api.Property;
import net.jqwik.api.statistics.Statistics;
import net.jqwik.api.statistics.StatisticsReport;
import org.penumbra.api.cpu.Processor;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.Pdptes;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.testkit.reference.EptWalker;
import org.penumbra.testkit.reference.HostTables;
import org.penumbra.testkit.reference.NptWalker;
import org.penumbra.testkit.reference.ReferenceWalker;
import org.penumbra.testkit.reference.TwoDimensionalWalker;
import org.penumbra.testkit.reference.Walk;

/**
 * Walks with nothing cached against the specification's, over tables in which any bit may be set: the translated address, the error
 * code, the exit, the number of references and the flags afterwards. In every guest mode, in one dimension, on EPT and on nested
 * tables of every form.
 */
class ReferenceWalkPropertyTest {
    private static final int M = 40;
    private static final int[] KINDS = {Rig.SR, Rig.SW, Rig.SF, Rig.UR, Rig.UW, Rig.UF, Rig.AR, Rig.AW};

    private PhysicalMemory memory;
    private Random random;
    private Rig builder;
    private long root;
    /** The frames of the guest's tables are below. */
    private long guestTables;
    private PagingState state;
    private final List<Long> addresses = new ArrayList<>();

    private boolean chance(int percent) {
        return random.nextInt(100) < percent;
    }

    /** One access by a processor of its own, after {@code prepare}. */
    private Rig fresh() {
        Rig rig = new Rig(TestProfile.bare().array("tlb.second-level", 4, 2).set("cpu.maxphyaddr", M), memory);
        rig.registers.paging = state;
        return rig;
    }

    /** Guest tables with random entries. {@code null}: no paging. */
    private void guest(Layout layout, boolean pdptesInRegisters) {
        memory = new PhysicalMemory(1L << M);
        builder = new Rig(TestProfile.bare(), memory);
        addresses.clear();
        long cr0 = 1 | (chance(50) ? 1 << 16 : 0);
        long cr4 = random.nextLong() & (1 << 4 | 1 << 7 | 1 << 20 | 1 << 21 | 1 << 22 | 1 << 24);
        if (layout == null) {
            state = new PagingState(cr0, 0, cr4, 0, random.nextInt(), random.nextInt());
            for (int i = 0; i < 6; i++) {
                addresses.add((long) random.nextInt(1 << 12) << 12);
            }
            return;
        }
        root = builder.paging(layout);
        long base = layout.address();
        for (long offset : new long[] {0, 0x1000, 0x2000, 1L << layout.shift(2), 1L << 30, 1L << layout.shift(2) + 1}) {
            addresses.add(base + offset);
        }
        for (long gva : addresses) {
            builder.put(root, gva, 1, random.nextInt(1 << 12) << 12);
        }
        for (int level = 1; level <= layout.levels(); level++) {
            for (long gva : addresses) {
                // From the lowest level up, so that every entry of the way exists when it is changed.
                entry(layout, gva, level);
            }
        }
        guestTables = builder.frame();
        long efer = layout.efer & ~0x800 | (chance(60) ? 0x800 : 0);
        state = new PagingState(cr0 | 1L << 31, root, layout.cr4 | cr4, efer, random.nextInt(), random.nextInt());
        if (layout == Layout.PAE && pdptesInRegisters) {
            Pdptes found = new Pdptes(memory.load64(root), memory.load64(root + 8), memory.load64(root + 16), memory.load64(root + 24));
            state = state.withPdptes(found.allowed(M) ? found : new Pdptes(0, 0, found.pdpte2() & 0xff_ffff_f000L | 1, 0));
        } else if (layout == Layout.PAE) {
            state = state.withPdptes(Pdptes.IN_MEMORY);
        }
    }

    private final List<Runnable> changes = new ArrayList<>();

    private void entry(Layout layout, long gva, int level) {
        long slot = builder.place(root, gva, level);
        long old = memory.load(slot, layout.bytes);
        boolean pdpte = layout == Layout.PAE && level == 3;
        long e = old | 1;
        if (!pdpte) {
            e = e & ~6 | (chance(85) ? 2 : 0) | (chance(85) ? 4 : 0) | (chance(50) ? 0x20 : 0) | (level == 1 && chance(50) ? 0x40 : 0);
            e |= random.nextLong() & (level == 1 ? 0xe98 : 0xe18);
            if (layout.bytes == 8 && chance(10)) {
                e |= 1L << 63;
            }
            if (level > 1 && level <= layout.largest() && chance(25)) {
                e = e & 0x0fff_ffff_ffff_ffffL & ~(-1L << 12) | 0x80 | (random.nextLong() & 0xff_ffff_ffffL & -1L << layout.shift(level));
                e = layout.bytes == 4 ? e & 0xffff_ffffL | (random.nextInt(8) << 13) : e;
            }
            if (layout.largest() == 3 && chance(40)) {
                e |= (random.nextLong() & 15) << 59;
            }
        }
        if (chance(4)) {
            e &= ~1;
        }
        if (chance(4)) {
            e ^= 1L << random.nextInt(8 * layout.bytes);
        }
        long value = e;
        changes.add(() -> memory.store(slot, layout.bytes, value));
    }

    private void applyChanges() {
        changes.forEach(Runnable::run);
        changes.clear();
    }

    private static Layout layoutOf(int n) {
        return n == 0 ? null : Layout.values()[n - 1];
    }

    @Label("T08 walks in one dimension are the specification's, in every mode, whatever is in the tables")
    @Property(tries = 300)
    @StatisticsReport(StatisticsReport.StatisticsReportMode.OFF)
    void oneDimension(@ForAll long seed) {
        random = new Random(seed);
        Layout layout = layoutOf(random.nextInt(5));
        changes.clear();
        guest(layout, true);
        // PDPTE registers were loaded from the unchanged table.
        applyChanges();
        ReferenceWalker walker = new ReferenceWalker(M);
        Walk walk = new Walk();
        for (long gva : addresses) {
            int access = KINDS[random.nextInt(KINDS.length)];
            Rig rig = fresh();
            walker.walk(state, gva | 0x123, access, memory::load64, walk);
            if (sharesEntries(walk)) {
                continue;
            }
            long hpa = rig.use(gva | 0x123, access);
            String what = layout + " " + Access.describe(access) + " of 0x" + Long.toHexString(gva);
            Statistics.collect(walk.allowed() ? TwoDimensionalWalker.Outcome.ALLOWED : TwoDimensionalWalker.Outcome.GUEST_FAULT);
            if (walk.allowed()) {
                assertThat(hpa).as(what).isEqualTo(walk.gpa);
                flags(what, walk, layout, access);
            } else {
                assertThat(hpa).as(what).isEqualTo(Processor.FAULT);
                assertThat(rig.cpu.exception().errorCode).as(what).isEqualTo(walk.outcome);
            }
            if (layout != null) {
                assertThat(rig.cpu.statistics().guestReferences()).as(what).isEqualTo(walk.top + 1 - walk.lowest);
            }
        }
        expectAll(TwoDimensionalWalker.Outcome.ALLOWED, TwoDimensionalWalker.Outcome.GUEST_FAULT);
    }

    /**
     * One entry serves at two levels, or in both dimensions (a bit that was turned over made it so): setting its flag changes what was
     * read, and the walk begins anew with another outcome.
     */
    private boolean sharesEntries(Walk walk) {
        for (int level = walk.lowest; level <= walk.top; level++) {
            long at = walk.entryGpa(level);
            if (level < walk.top && at == walk.entryGpa(level + 1) || at > guestTables) {
                return true;
            }
        }
        return false;
    }

    /** A guest-physical address that does not fit 32 bits was met. */
    private static boolean beyond(Walk walk) {
        for (int level = walk.lowest; level <= walk.top; level++) {
            if (walk.entryGpa(level) >>> 32 != 0) {
                return true;
            }
        }
        return walk.gpa >>> 32 != 0 && walk.gpa != -1;
    }

    private void flags(String what, Walk walk, Layout layout, int access) {
        for (int level = walk.top; level > 0 && level >= walk.lowest; level--) {
            assertThat(memory.load(walk.entryGpa(level), layout.bytes)).as("%s, level %d", what, level)
                    .isEqualTo(walk.entryAfter(level, Access.isWrite(access)));
        }
    }

    /** EPT entries: guest tables stay where they are, most of them with all rights. */
    private long ept(boolean modeBased, int levels, long eptpFlags) {
        Rig host = builder;
        long top = host.ept(eptpFlags, levels);
        for (long frame = 0x10_1000; frame < 0x14_0000; frame += 0x1000) {
            long bits = chance(95) ? 7 : random.nextInt(8);
            long slot = host.eptSlot(top, frame, 1);
            long value = frame | bits | 0x30 | (chance(50) ? 0x300 : 0);
            changes.add(() -> memory.store64(slot, value));
            memory.store64(slot, frame | 7 | 0x30);
        }
        for (int page = 0; page < 1 << 12; page += 1 + random.nextInt(3)) {
            if (page < 0x101 || page >= 0x140) {
                long slot = host.eptSlot(top, (long) page << 12, 1);
                long value = (long) page + 0x1000 << 12 | random.nextInt(8) | (chance(90) ? 6 : random.nextInt(8)) << 3
                        | random.nextInt(8) << 8 & 0x700;
                memory.store64(slot, chance(3) ? value ^ 1L << random.nextInt(64) : value);
            }
        }
        for (int level = 2; level <= levels; level++) {
            for (long gpa : new long[] {0x10_1000, 0x20_0000, 0x60_0000}) {
                long slot = host.eptSlot(top, gpa, level);
                long value = memory.load64(slot) | (modeBased && chance(90) ? 1 << 10 : 0) | (chance(50) ? 0x100 : 0);
                value = level == 2 && gpa > 0x1f_ffff && chance(30) ? 0x4000_0000L | 7 | 0xb0 : value;
                long last = chance(2) ? value ^ 1L << random.nextInt(64) : value;
                if (gpa > 0x1f_ffff && level == 2 || chance(30)) {
                    changes.add(() -> memory.store64(slot, last));
                }
            }
        }
        return host.vmcs.eptp;
    }

    @Label("T13 walks in two dimensions on EPT are the specification's, in every guest mode: addresses, violations, misconfigurations")
    @Property(tries = 300)
    @StatisticsReport(StatisticsReport.StatisticsReportMode.OFF)
    void ept(@ForAll long seed) {
        random = new Random(seed);
        Layout layout = layoutOf(random.nextInt(5));
        changes.clear();
        guest(layout, true);
        boolean modeBased = chance(40);
        long eptp = ept(modeBased, 4 + random.nextInt(2), chance(50) ? 1 << 6 : 0);
        applyChanges();
        TwoDimensionalWalker walker =
                new TwoDimensionalWalker(new ReferenceWalker(M), HostTables.ept(new EptWalker(M, true, modeBased), eptp));
        for (long gva : addresses) {
            int access = KINDS[random.nextInt(KINDS.length)];
            Rig rig = fresh();
            rig.vmcs.enableEpt = true;
            rig.vmcs.eptp = eptp;
            rig.vmcs.modeBasedExecute = modeBased;
            rig.vmcs.unrestrictedGuest = true;
            rig.enter();
            long at = gva | 0x123;
            TwoDimensionalWalker.Outcome expected = walker.walk(state, at, access, memory::load64);
            if (sharesEntries(walker.guest)) {
                continue;
            }
            long hpa = rig.use(at, access);
            String what = layout + " " + Access.describe(access) + " of 0x" + Long.toHexString(at) + ": " + expected;
            Statistics.collect(expected);
            switch (expected) {
                case ALLOWED:
                    assertThat(hpa).as(what).isEqualTo(walker.hpa);
                    break;
                case GUEST_FAULT:
                    assertThat(hpa).as(what).isEqualTo(Processor.FAULT);
                    assertThat(rig.cpu.exception().errorCode).as(what).isEqualTo((int) walker.code);
                    break;
                default:
                    assertThat(hpa).as(what).isEqualTo(Processor.EXIT);
                    boolean violation = expected == TwoDimensionalWalker.Outcome.HOST_FAULT;
                    assertThat(ExitReason.of(rig.cpu.exit().reason)).as(what)
                            .isEqualTo(violation ? ExitReason.EPT_VIOLATION : ExitReason.EPT_MISCONFIG);
                    assertThat(rig.cpu.exit().guestPhysical).as(what).isEqualTo(walker.gpa);
                    // Without EPT's own flags it is left to the implementation whether a flag update in a guest table is a read, too.
                    boolean update = (walker.code & 0x102) == 2 && (eptp & 1 << 6) == 0;
                    assertThat(rig.cpu.exit().qualification | (update ? 1 : 0)).as(what).isEqualTo(walker.code | (update ? 1 : 0));
            }
            expectReferences(what, rig, walker);
        }
        expectAll(TwoDimensionalWalker.Outcome.values());
    }

    /** No outcome is so rare that the property says nothing about it. */
    private static void expectAll(TwoDimensionalWalker.Outcome... outcomes) {
        Statistics.coverage(coverage -> {
            for (TwoDimensionalWalker.Outcome outcome : outcomes) {
                coverage.check(outcome).count(n -> n > 20);
            }
        });
    }

    private void expectReferences(String what, Rig rig, TwoDimensionalWalker walker) {
        if (walker.outcome == TwoDimensionalWalker.Outcome.ALLOWED || walker.outcome == TwoDimensionalWalker.Outcome.GUEST_FAULT) {
            assertThat(rig.cpu.statistics().guestReferences() + rig.cpu.statistics().hostReferences()).as(what).isEqualTo(walker.references);
        }
    }

    /** Nested entries: guest tables stay where they are, most of them with all rights. */
    private long npt(Layout host) {
        long top = builder.npt(host);
        for (int page = 0; page < 1 << 12; page += page >= 0x101 && page < 0x140 ? 1 : 1 + random.nextInt(3)) {
            boolean table = page >= 0x101 && page < 0x140;
            long gpa = (long) page << 12;
            long slot = builder.nptPlace(top, gpa, 1);
            long value = (table ? gpa : gpa + 0x100_0000) | (table && chance(95) ? 7 : random.nextInt(8)) | random.nextInt(4) << 5;
            if (host.bytes == 8 && chance(10)) {
                value |= 1L << 63;
            }
            long last = chance(1) ? value ^ 1L << random.nextInt(8 * host.bytes) : value;
            memory.store(slot, host.bytes, table ? gpa | 7 : last);
            if (table) {
                changes.add(() -> memory.store(slot, host.bytes, last));
            }
        }
        for (int level = 2; level <= host.levels(); level++) {
            for (long gpa : new long[] {0x20_0000, 0x60_0000}) {
                long slot = builder.nptPlace(top, gpa, level);
                if (chance(30) && !(host == Layout.PAE && level == 3)) {
                    long value = level == 2 && gpa > 0x50_0000 ? 0x4000_0000L | 0x80 | random.nextInt(8) : memory.load(slot, host.bytes) | 0x20;
                    changes.add(() -> memory.store(slot, host.bytes, value));
                }
            }
        }
        return top;
    }

    @Label("T14 walks in two dimensions on nested tables are the specification's, in every guest and host mode")
    @Property(tries = 300)
    @StatisticsReport(StatisticsReport.StatisticsReportMode.OFF)
    void npt(@ForAll long seed) {
        random = new Random(seed);
        Layout layout = layoutOf(random.nextInt(5));
        Layout host = Layout.values()[random.nextInt(4)];
        changes.clear();
        guest(layout, false);
        long top = npt(host);
        long hostCr4 = host.cr4 | (chance(50) ? 0x10 : 0);
        long hostEfer = host.efer & ~0x800 | (chance(70) ? 0x800 : 0);
        applyChanges();
        TwoDimensionalWalker walker = new TwoDimensionalWalker(new ReferenceWalker(M),
                HostTables.npt(new NptWalker(M, top, hostCr4, hostEfer)));
        for (long gva : addresses) {
            int access = KINDS[random.nextInt(KINDS.length)];
            Rig rig = fresh();
            rig.vmcb.nestedPaging = true;
            rig.vmcb.nCr3 = top;
            rig.vmcb.hostCr0 = host.cr0;
            rig.vmcb.hostCr4 = hostCr4;
            rig.vmcb.hostEfer = hostEfer;
            rig.vmrun();
            long at = gva | 0x123;
            TwoDimensionalWalker.Outcome expected = walker.walk(state, at, access, memory::load64);
            if (host.levels() < 4 && beyond(walker.guest)) {
                // The specification takes gpas that the host's mode can hold.
                continue;
            }
            if (sharesEntries(walker.guest)) {
                continue;
            }
            long hpa = rig.use(at, access);
            String what = layout + " on " + host + ", " + Access.describe(access) + " of 0x" + Long.toHexString(at) + ": " + expected;
            Statistics.collect(expected);
            switch (expected) {
                case ALLOWED:
                    assertThat(hpa).as(what).isEqualTo(walker.hpa);
                    break;
                case GUEST_FAULT:
                    assertThat(hpa).as(what).isEqualTo(Processor.FAULT);
                    assertThat(rig.cpu.exception().errorCode).as(what).isEqualTo((int) walker.code);
                    break;
                default:
                    assertThat(hpa).as(what).isEqualTo(Processor.EXIT);
                    assertThat(rig.vmcb.exitCode).as(what).isEqualTo(0x400);
                    assertThat(rig.vmcb.exitInfo2).as(what).isEqualTo(walker.gpa);
                    assertThat(rig.vmcb.exitInfo1).as(what).isEqualTo(walker.code);
            }
            expectReferences(what, rig, walker);
        }
        expectAll(TwoDimensionalWalker.Outcome.ALLOWED, TwoDimensionalWalker.Outcome.GUEST_FAULT, TwoDimensionalWalker.Outcome.HOST_FAULT);
    }
}
