package org.penumbra.hardware.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Label;
import net.jqwik.api.Property;
import net.jqwik.api.statistics.Statistics;
import net.jqwik.api.statistics.StatisticsReport;
import org.penumbra.api.cpu.Processor;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.testkit.reference.EptWalker;
import org.penumbra.testkit.reference.HostTables;
import org.penumbra.testkit.reference.ReferenceWalker;
import org.penumbra.testkit.reference.TwoDimensionalWalker;
import org.penumbra.testkit.reference.TwoDimensionalWalker.Outcome;

/**
 * A guest on EPT with all caches on, whose hypervisor changes EPT entries and controls and executes INVEPT each time, and who itself
 * changes its tables and executes INVLPG each time: the answer is then that of the tables as they stand. So nothing cached outlives
 * the invalidation that the SDM names for it, in any mode, with or without accessed and dirty flags and mode-based execute control.
 */
class SecondDimensionPropertyTest {
    private static final int M = 40;
    private static final int[] KINDS = {Rig.SR, Rig.SW, Rig.SF, Rig.UR, Rig.UW, Rig.UF};

    private Random random;
    private Rig rig;
    private Layout layout;
    private long root;
    private long top;
    private long[] pages;

    @Label("T13 nothing cached outlives INVEPT and INVLPG: the answers on EPT are the specification's for the tables as they stand")
    @Property(tries = 150)
    @StatisticsReport(StatisticsReport.StatisticsReportMode.OFF)
    void invalidated(@ForAll long seed) {
        random = new Random(seed);
        start();
        for (int step = 0; step < 120; step++) {
            long gva = pages[random.nextInt(pages.length)];
            int kind = random.nextInt(10);
            if (kind < 6) {
                access("step " + step + ", " + layout, gva | 0x18, KINDS[random.nextInt(KINDS.length)]);
            } else if (kind < 8) {
                hypervisor();
            } else {
                long bits = 1 | random.nextInt(4) << 1 | random.nextInt(4) << 5;
                rig.put(root, gva, 1, random.nextInt(12) == 0 ? 0 : 1L + random.nextInt(8) << 12 | bits);
                rig.cpu.invlpg(gva);
            }
        }
        Statistics.coverage(coverage -> {
            for (Outcome outcome : Outcome.values()) {
                coverage.check(outcome).count(n -> n > 50);
            }
        });
    }

    private void start() {
        rig = new Rig(new TestProfile().array("tlb.data.small", 4, 2).array("tlb.second-level", 16, 4).array("nested-tlb", 8, 4),
                new PhysicalMemory(1L << 32));
        layout = Layout.values()[random.nextInt(4)];
        root = rig.paging(layout);
        long base = layout.address();
        pages = new long[] {base, base + 0x1000, base + (1L << layout.shift(2)), base + (1L << 30)};
        for (long gva : pages) {
            rig.put(root, gva, 1, 0x5000 | 7);
        }
        if (layout == Layout.PAE) {
            rig.pdptes();
        }
        top = rig.ept(0, 4 + random.nextInt(2));
        rig.vmcs.vpid = 3;
        for (long gpa = 0; gpa < 2 << 20; gpa += 0x1000) {
            // Executable for both modes of linear addresses.
            rig.eptMap(top, gpa, gpa, 0x407 | Rig.EPT_WB);
        }
        for (int level = 2; level <= levels(); level++) {
            long slot = rig.eptSlot(top, 0, level);
            rig.memory.store64(slot, rig.memory.load64(slot) | 0x400);
        }
        rig.enter();
    }

    private int levels() {
        return (int) (rig.vmcs.eptp >>> 3 & 7) + 1;
    }

    /** Changes an entry for a page or a table of the guest, or a control; then INVEPT. */
    private void hypervisor() {
        rig.cpu.vmcall();
        int kind = random.nextInt(10);
        if (kind == 0) {
            rig.vmcs.eptp ^= 1 << 6;
        } else if (kind == 1) {
            rig.vmcs.modeBasedExecute ^= true;
        } else {
            boolean table = random.nextInt(4) == 0;
            long gpa = table ? 0x10_1000 + 0x1000 * random.nextInt(12) : 0x1000 + 0x1000 * random.nextInt(8);
            long hpa = table ? gpa : gpa + 0x4000_0000L * random.nextInt(3);
            long rights = table && random.nextInt(4) > 0 ? 7 : random.nextInt(8);
            rig.eptMap(top, gpa, hpa, rights | random.nextInt(2) << 10 | random.nextInt(4) << 8 & 0x300 | Rig.EPT_WB);
        }
        if (random.nextBoolean()) {
            rig.cpu.inveptContext(rig.vmcs.eptp);
        } else {
            rig.cpu.inveptAll();
        }
        rig.enter();
    }

    private void access(String what, long gva, int access) {
        TwoDimensionalWalker walker = new TwoDimensionalWalker(
                new ReferenceWalker(M), HostTables.ept(new EptWalker(M, true, rig.vmcs.modeBasedExecute), rig.vmcs.eptp));
        Outcome expected = walker.walk(rig.registers.paging, gva, access, rig.memory::load64);
        Statistics.collect(expected);
        long hpa = rig.use(gva, access);
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
                boolean violation = expected == Outcome.HOST_FAULT;
                assertThat(ExitReason.of(rig.cpu.exit().reason)).as(what)
                        .isEqualTo(violation ? ExitReason.EPT_VIOLATION : ExitReason.EPT_MISCONFIG);
                assertThat(rig.cpu.exit().guestPhysical).as(what).isEqualTo(walker.gpa);
                // Without EPT's own flags it is left to the implementation whether a flag update in a guest table is a read, too.
                boolean update = (walker.code & 0x102) == 2 && (rig.vmcs.eptp & 1 << 6) == 0;
                assertThat(rig.cpu.exit().qualification | (update ? 1 : 0)).as(what).isEqualTo(walker.code | (update ? 1 : 0));
                rig.enter();
        }
    }
}
