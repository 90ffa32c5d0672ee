package org.penumbra.hardware.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import java.util.function.LongConsumer;
import net.jqwik.api.ForAll;
import net.jqwik.api.Label;
import net.jqwik.api.Property;
import net.jqwik.api.statistics.Statistics;
import net.jqwik.api.statistics.StatisticsReport;
import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.cpu.Outcome;
import org.penumbra.api.cpu.Processor;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PagingState;
import org.penumbra.testkit.tlb.AbstractTlb;
import org.penumbra.testkit.tlb.AbstractTlb.Verdict;

/**
 * Two processors with small caches over one memory, whose guest changes tables and invalidates or forgets to: whatever they use must
 * be in the set of translations that the architecture allows at that moment (SDM vol. 3, "Caching Translation Information"). In
 * every guest mode, in one dimension, on EPT and on nested tables, with TLBs that are modelled and with functional ones.
 */
class AllowedSetPropertyTest {
    private static final int CPUS = 2;
    private static final long PG = 1L << 31;
    private static final long PCIDE = 1 << 17;
    private static final long KEEP = 1L << 63;
    private static final int[] KINDS = {Rig.SR, Rig.SW, Rig.SF, Rig.UR, Rig.UW, Rig.UF, Rig.AR, Rig.AW};
    /** PSE, PGE, SMEP, SMAP, PKE. */
    private static final long[] CR4_BITS = {1 << 4, 1 << 7, 1 << 20, 1 << 21, 1 << 22};

    private enum Dimension { ONE, EPT, NPT }

    private Random random;
    private Layout layout;
    private Dimension dimension;
    private PhysicalMemory memory;
    private Rig[] rigs;
    private AbstractTlb allowed;
    private long[] roots;
    private long[] pages;
    private long[] tables;

    @Label("T11 whatever a processor uses is in the allowed set, with several processors, random edits and invalidations, in every mode")
    @Property(tries = 400)
    @StatisticsReport(StatisticsReport.StatisticsReportMode.OFF)
    void allowedSet(@ForAll long seed, @ForAll boolean functional) {
        random = new Random(seed);
        layout = Layout.values()[random.nextInt(4)];
        dimension = Dimension.values()[random.nextInt(3)];
        if (dimension == Dimension.NPT && layout == Layout.PAE) {
            // Its PDPTEs are no registers, which the abstract TLB takes for granted.
            dimension = Dimension.ONE;
        }
        start(functional);
        for (int i = 0; i < 150; i++) {
            step(i);
        }
        Statistics.coverage(coverage -> {
            coverage.check(Verdict.CURRENT).count(n -> n > 500);
            coverage.check(Verdict.STALE).count(n -> n > 50);
            coverage.check("fault").count(n -> n > 500);
        });
    }

    private void start(boolean functional) {
        memory = new PhysicalMemory(1L << 32);
        rigs = new Rig[CPUS];
        for (int c = 0; c < CPUS; c++) {
            TestProfile profile = new TestProfile().array("tlb.data.small", 4, 2).array("tlb.data.large", 2, 2)
                    .array("tlb.instruction.small", 2, 2).array("tlb.second-level", 12, 4).array("nested-tlb", 6, 3);
            rigs[c] = new Rig(functional ? profile.functional() : profile, memory);
        }
        Rig b = rigs[0];
        long base = layout.address();
        int region = layout.shift(2);
        pages = new long[] {base, base + 0x1000, base + 0x2000, base + (1L << region), base + (1L << region) + 0x1000, base + (1L << 30)};
        roots = new long[] {b.paging(layout), b.paging(layout)};
        for (long gva : pages) {
            b.put(roots[0], gva, 1, 0x5000 | 7);
        }
        for (long gva : pages) {
            b.put(roots[1], gva, 1, 0x6000 | 7);
        }
        tables = new long[4];
        for (int t = 0; t < tables.length; t++) {
            tables[t] = b.frame();
            for (int e = 0; e < 4096; e += layout.bytes) {
                memory.store(tables[t] + e, layout.bytes, (long) (t + 10) << 12 | 7);
            }
        }
        PagingState state = layout.state(roots[0]);
        b.registers.paging = state;
        if (layout == Layout.PAE) {
            b.pdptes();
            state = b.registers.paging;
        }
        long shift = 0x4000_0000L;
        if (dimension == Dimension.EPT) {
            long top = b.ept(random.nextInt(2) << 6);
            b.eptIdentity(top, 2 << 20, 1);
            for (long gpa = 0; gpa < 0x10_0000; gpa += 0x1000) {
                b.eptMap(top, gpa, gpa + shift, 7 | Rig.EPT_WB);
            }
            mapLarge(gpa -> b.memory.store64(b.eptSlot(top, gpa, 2), gpa + shift | 7 | Rig.EPT_WB | Rig.EPT_PAGE));
        } else if (dimension == Dimension.NPT) {
            long top = b.npt(Layout.values()[random.nextInt(4)]);
            b.nptIdentity(top, 2 << 20, 1);
            for (long gpa = 0; gpa < 0x10_0000; gpa += 0x1000) {
                b.nptPut(top, gpa, 1, gpa + shift | 7);
            }
            if (b.host == Layout.BITS_32) {
                b.nptPut(top, 0x40_0000, 2, 0x40_0000 + shift | 0x87);
                b.nptPut(top, 0x80_0000, 2, 0x80_0000 + shift | 0x87);
                b.nptPut(top, 0xc0_0000, 2, 0xc0_0000 + shift | 0x87);
            } else {
                mapLarge(gpa -> b.nptPut(top, gpa, 2, gpa + shift | 0x87));
            }
        }
        boolean two = dimension != Dimension.ONE;
        allowed = new AbstractTlb(CPUS, 40, memory, gpa -> {
            boolean inPlace = gpa >= 0x10_0000 && gpa < 0x20_0000;
            boolean moved = gpa < 0x10_0000 || gpa >= 0x40_0000 && gpa < 0x100_0000;
            return !two || inPlace ? gpa : moved ? gpa + shift : -1;
        });
        for (int c = 0; c < CPUS; c++) {
            Rig r = rigs[c];
            r.layout = layout;
            r.registers.paging = state;
            if (dimension == Dimension.EPT) {
                r.vmcs.enableEpt = true;
                r.vmcs.eptp = b.vmcs.eptp;
                r.vmcs.vpid = 1;
                r.vmcs.unrestrictedGuest = true;
                r.enter();
            } else if (dimension == Dimension.NPT) {
                r.vmcb.nestedPaging = true;
                r.vmcb.nCr3 = b.vmcb.nCr3;
                r.vmcb.hostCr0 = b.vmcb.hostCr0;
                r.vmcb.hostCr4 = b.vmcb.hostCr4;
                r.vmcb.hostEfer = b.vmcb.hostEfer;
                r.vmrun();
            }
            allowed.loaded(c, state, false);
        }
    }

    private static void mapLarge(LongConsumer map) {
        for (long gpa = 0x40_0000; gpa < 0x100_0000; gpa += 0x20_0000) {
            map.accept(gpa);
        }
    }

    private void step(int i) {
        int c = random.nextInt(CPUS);
        Rig rig = rigs[c];
        long gva = pages[random.nextInt(pages.length)];
        int kind = random.nextInt(100);
        String what = "step " + i + " on " + c + ", " + layout + ", " + dimension;
        if (kind < 55) {
            access(what, c, rig, gva | random.nextInt(512) << 3, KINDS[random.nextInt(KINDS.length)]);
        } else if (kind < 78) {
            edit(gva);
        } else if (kind < 84) {
            if (rig.cpu.invlpg(gva) == Outcome.DONE) {
                allowed.invalidatedPage(c, gva);
            }
        } else if (kind < 88) {
            int type = random.nextInt(4);
            int pcid = rig.registers.paging.has4(PCIDE) ? random.nextInt(3) : 0;
            if (rig.cpu.invpcid(type, pcid, gva) == Outcome.DONE) {
                allowed.invalidatedPcid(c, type, pcid, gva);
            }
        } else if (kind < 94) {
            boolean pcids = rig.registers.paging.has4(PCIDE);
            boolean keep = pcids && random.nextBoolean();
            int n = random.nextInt(2);
            // A PCID belongs to a root, as operating systems have it, or to both.
            int pcid = pcids ? random.nextBoolean() ? n : 2 : 0;
            loaded(c, rig, rig.cpu.movToCr3(roots[n] | pcid | (keep ? KEEP : 0)), keep);
        } else if (kind < 97) {
            long bit = CR4_BITS[random.nextInt(CR4_BITS.length)];
            loaded(c, rig, rig.cpu.movToCr4(rig.registers.paging.cr4() ^ bit), false);
        } else if (kind < 98) {
            loaded(c, rig, rig.cpu.movToCr0(rig.registers.paging.cr0() ^ 1 << 16), false);
        } else if (kind < 99 && layout.largest() == 3) {
            long cr4 = rig.registers.paging.cr4();
            if ((cr4 & PCIDE) != 0 || rig.registers.paging.cr3() << 52 == 0) {
                loaded(c, rig, rig.cpu.movToCr4(cr4 ^ PCIDE), false);
            }
        } else if (!rig.registers.paging.has4(PCIDE)) {
            long cr0 = rig.registers.paging.cr0();
            loaded(c, rig, rig.cpu.movToCr0(cr0 & ~PG), false);
            access(what, c, rig, 0x5008, Rig.SR);
            loaded(c, rig, rig.cpu.movToCr0(cr0), false);
        }
    }

    private void loaded(int c, Rig rig, int outcome, boolean keep) {
        assertThat(outcome).isEqualTo(Outcome.DONE);
        allowed.loaded(c, rig.registers.paging, keep);
    }

    private void access(String what, int c, Rig rig, long gva, int access) {
        long hpa = rig.use(gva, access);
        if (hpa >= 0) {
            Verdict verdict = allowed.translated(c, gva, access, hpa);
            Statistics.collect(verdict);
            assertThat(verdict).as(() -> what + ": " + allowed.complaint(c, gva, access, hpa)).isNotEqualTo(Verdict.WRONG);
            return;
        }
        assertThat(hpa).as(what).isEqualTo(Processor.FAULT);
        GuestException e = rig.cpu.exception();
        assertThat(e.vector).as(what).isEqualTo(GuestException.PF);
        Statistics.collect("fault");
        boolean ac = (access & Access.AC) != 0;
        Verdict verdict = allowed.pageFault(c, gva, e.errorCode, ac);
        assertThat(verdict).as(() -> what + ": " + allowed.faultComplaint(c, gva, e.errorCode, ac)).isNotEqualTo(Verdict.WRONG);
    }

    /** Changes an entry of one of the two address spaces: a page, a table, a large page, or a right of a level above. */
    private void edit(long gva) {
        Rig b = rigs[0];
        long root = roots[random.nextInt(2)];
        int highest = Math.min(3, layout.levels() - (layout == Layout.PAE ? 1 : 0));
        int level = random.nextInt(10) < 6 ? 1 : random.nextInt(10) < 8 ? 2 : highest;
        long table = root;
        long slot = 0;
        for (int l = layout.levels(); l >= level; l--) {
            int entries = layout == Layout.PAE && l == 3 ? 4 : 4096 / layout.bytes;
            slot = table + (gva >>> layout.shift(l) & entries - 1) * layout.bytes;
            long entry = memory.load(slot, layout.bytes);
            if (l > level && ((entry & 1) == 0 || (entry & 0x80) != 0 && l <= layout.largest())) {
                return;
            }
            table = entry & 0xffff_f000L;
        }
        long bits = 1 | (random.nextInt(4) > 0 ? 2 : 0) | (random.nextInt(4) > 0 ? 4 : 0) | (random.nextInt(3) == 0 ? 0x100 : 0)
                | (random.nextInt(3) == 0 ? 0x60 : 0);
        bits = random.nextInt(8) == 0 ? bits & ~1 : bits;
        bits |= layout.bytes == 8 && random.nextInt(6) == 0 ? 1L << 63 : 0;
        if (level == 1) {
            bits |= (1L + random.nextInt(9)) << 12;
        } else if (level == 2 && random.nextInt(3) == 0) {
            bits |= 0x80 | 0x40_0000L * (1 + random.nextInt(3));
        } else {
            long old = memory.load(slot, layout.bytes);
            boolean same = level > 2 || random.nextBoolean();
            bits = bits & ~0x100L & ~0x40L | (same ? old & 0xffff_f000L : tables[random.nextInt(tables.length)]);
            if (same && (old & 0x80) != 0) {
                return;
            }
        }
        memory.store(slot, layout.bytes, bits);
        allowed.written(slot, layout.bytes);
    }
}
