package org.penumbra.testkit.tlb;

import static org.assertj.core.api.Assertions.assertThat;
import static org.penumbra.api.paging.ControlBits.*;
import static org.penumbra.testkit.tlb.Guest.*;

import java.util.Random;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Label;
import net.jqwik.api.Property;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.Pdptes;
import org.penumbra.testkit.tlb.AbstractTlb.Verdict;
import org.penumbra.testkit.tlb.ModelProcessor.Forgotten;

/**
 * The abstract TLB against a processor that was written for nothing but this test: random guests of every paging mode edit random
 * entries of a small tree of tables, use pages, invalidate, and load registers, on two vCPUs.
 */
class ModelProcessorTest {
    /** Two tables of each level, at gpa 0x1000 to 0xa000; bits 0 of the indexes vary in an address. */
    private static final long[][] TABLES =
            {{}, {0x7000, 0x8000}, {0x5000, 0x6000}, {0x3000, 0x4000}, {0x1000, 0x2000}, {0x9000, 0xa000}};
    /** The PDPTEs of PAE paging stand in the first 32 bytes of each. */
    private static final long[] PDPTES = {0xb000, 0xc000};
    private static final PagingMode[] MODES = {PagingMode.BITS_32, PagingMode.PAE, PagingMode.FOUR_LEVEL, PagingMode.FIVE_LEVEL};

    private static final class Run {
        final Random random;
        final Guest guest = new Guest(2);
        final ModelProcessor[] cpus = new ModelProcessor[2];
        final PagingMode mode;
        final int shift;
        int current;
        int stale;
        int wrong;
        String complaint;

        Run(long seed, PagingMode mode, boolean pcids, Forgotten... forgotten) {
            random = new Random(seed);
            this.mode = mode;
            shift = mode == PagingMode.BITS_32 ? 10 : 9;
            for (int level = 1; level <= mode.levels(); level++) {
                for (long table : TABLES[level]) {
                    edit(table, 0, entry(level), false);
                    edit(table, 1, entry(level), false);
                }
            }
            for (int i = 0; i < 4; i++) {
                guest.silently(PDPTES[i >>> 1], i & 1, pdpte());
            }
            long cr4 = CR4_PGE | (mode.isLong() ? CR4_PKE : 0) | (pcids && mode.isLong() ? CR4_PCIDE : 0)
                    | (mode == PagingMode.BITS_32 ? CR4_PSE : CR4_PAE) | (mode == PagingMode.FIVE_LEVEL ? CR4_LA57 : 0);
            long efer = EFER_NXE | (mode.isLong() ? EFER_LME | EFER_LMA : 0);
            for (int v = 0; v < 2; v++) {
                cpus[v] = new ModelProcessor(guest, random, forgotten);
                load(v, new PagingState(CR0_PE | CR0_WP | CR0_PG, roots()[v], cr4, efer, 0, 0), true, false);
            }
            for (int step = 0; step < 600 && wrong == 0; step++) {
                step(random.nextInt(2));
                if (random.nextInt(30) == 0) {
                    guest.tlb.sweep();
                }
            }
        }

        private long[] roots() {
            return mode == PagingMode.PAE ? PDPTES : TABLES[mode.levels()];
        }

        private void step(int v) {
            long gva = gva();
            switch (random.nextInt(26)) {
                case 0, 1, 2, 3:
                    int level = 1 + random.nextInt(mode.levels());
                    edit(TABLES[level][random.nextInt(2)], random.nextInt(2), entry(level), true);
                    break;
                case 4:
                    cpus[v].invlpg(gva);
                    guest.tlb.invalidatedPage(v, gva);
                    break;
                case 5:
                    loadAnother(v);
                    break;
                case 6:
                    int type = random.nextInt(4);
                    int pcid = cpus[v].state.has4(CR4_PCIDE) ? random.nextInt(3) : 0;
                    cpus[v].invpcid(type, pcid, gva);
                    guest.tlb.invalidatedPcid(v, type, pcid, gva);
                    break;
                case 7:
                    guest.set(PDPTES[random.nextInt(2)], random.nextInt(2), pdpte());
                    break;
                default:
                    access(v, gva, random.nextInt(3) | (random.nextInt(3) == 0 ? 0 : Access.USER));
            }
        }

        private void loadAnother(int v) {
            PagingState state = cpus[v].state;
            switch (random.nextInt(8)) {
                case 0:
                    load(v, state.withCr4(state.cr4() ^ CR4_PGE), false, false);
                    break;
                case 1:
                    load(v, state.withCr0(state.cr0() ^ CR0_WP), false, false);
                    break;
                case 2:
                    load(v, state.withCr4(state.cr4() ^ CR4_PSE), false, false);
                    break;
                case 3:
                    load(v, state.withPkru(state.pkru() ^ 1 << random.nextInt(4)), false, false);
                    break;
                default:
                    int pcid = state.has4(CR4_PCIDE) ? random.nextInt(3) : 0;
                    load(v, state.withCr3(roots()[random.nextInt(2)] | pcid), true, random.nextBoolean());
            }
        }

        private void load(int v, PagingState next, boolean movToCr3, boolean keep) {
            boolean loadsPdptes = movToCr3 || next.cr4() != cpus[v].state.cr4();
            PagingState state = mode == PagingMode.PAE && loadsPdptes
                    ? next.withPdptes(new Pdptes(pdpte(next, 0), pdpte(next, 1), 0, 0)) : next;
            cpus[v].load(state, movToCr3, keep);
            guest.tlb.loaded(v, state, keep);
        }

        private long pdpte(PagingState state, int index) {
            return guest.memory.load64(BASE + state.root() + 8 * index);
        }

        private void edit(long table, int index, long value, boolean reported) {
            if (mode == PagingMode.BITS_32) {
                guest.silently4(table, index, value);
            } else {
                guest.silently(table, index, value);
            }
            if (reported) {
                guest.tlb.written(BASE + table + (long) mode.entryBytes() * index, mode.entryBytes());
            }
        }

        private void access(int v, long gva, int access) {
            long gpa = cpus[v].translate(gva, access);
            if (gpa >= 0) {
                count(guest.use(v, gva, access, gpa));
                if (wrong > 0) {
                    complaint = guest.tlb.complaint(v, gva, access, gpa + BASE);
                }
            } else {
                count(guest.tlb.pageFault(v, gva, cpus[v].errorCode, false));
                if (wrong > 0) {
                    complaint = guest.tlb.faultComplaint(v, gva, cpus[v].errorCode, false);
                }
                cpus[v].faulted(gva);
            }
        }

        private void count(Verdict verdict) {
            current += verdict == Verdict.CURRENT ? 1 : 0;
            stale += verdict == Verdict.STALE ? 1 : 0;
            wrong += verdict == Verdict.WRONG ? 1 : 0;
        }

        private long gva() {
            long gva = random.nextInt(4096) | (mode == PagingMode.PAE ? (long) random.nextInt(2) << 30 : 0);
            for (int level = 1; level <= mode.levels(); level++) {
                gva |= (long) random.nextInt(2) << 12 + shift * (level - 1);
            }
            return gva;
        }

        private long pdpte() {
            return TABLES[2][random.nextInt(2)] | (random.nextInt(6) == 0 ? 0 : P);
        }

        private long entry(int level) {
            long bits = (random.nextInt(8) == 0 ? 0 : P) | (random.nextInt(4) == 0 ? 0 : W) | (random.nextInt(5) == 0 ? 0 : U)
                    | (random.nextBoolean() ? A : 0) | (random.nextBoolean() ? D : 0) | (random.nextInt(4) == 0 ? GLOBAL : 0)
                    | (mode != PagingMode.BITS_32 && random.nextInt(8) == 0 ? 1L << 63 : 0)
                    | (mode.isLong() ? (long) random.nextInt(2) << 59 : 0);
            boolean large = level == 2 && random.nextInt(4) == 0 || level == 3 && mode.isLong() && random.nextInt(8) == 0;
            if (large) {
                return bits | LARGE | (level == 3 ? 0 : (long) random.nextInt(4) << 12 + shift);
            }
            return bits | (level == 1 ? 0x10000L + (random.nextInt(8) << 12) : TABLES[level - 1][random.nextInt(2)]);
        }
    }

    @Property(tries = 600)
    @Label("T11 no translation and no page fault of a processor that keeps the rules is called wrong, in any mode")
    void sound(@ForAll long seed, @ForAll boolean pcids) {
        PagingMode mode = MODES[(int) (seed >>> 1 & 3)];
        Run run = new Run(seed, mode, pcids);
        assertThat(run.complaint).as("%s", mode).isNull();
        assertThat(run.current).isPositive();
    }

    @Example
    @Label("T11 the runs are no empty exercise: many uses are stale, in every mode")
    void exercised() {
        for (PagingMode mode : MODES) {
            int current = 0;
            int stale = 0;
            for (int seed = 0; seed < 60; seed++) {
                Run run = new Run(seed, mode, seed % 2 == 0);
                current += run.current;
                stale += run.stale;
            }
            System.out.println(mode + ": current " + current + ", stale " + stale);
            assertThat(stale).as("%s", mode).isGreaterThan(current / 100);
        }
    }

    @Example
    @Label("T11 a processor that forgets a rule is found out, whichever rule it is, in every mode that has it")
    void mutants() {
        for (Forgotten rule : Forgotten.values()) {
            for (PagingMode mode : MODES) {
                if (exists(rule, mode)) {
                    int caught = 0;
                    for (int seed = 0; seed < 400 && caught < 3; seed++) {
                        caught += new Run(seed, mode, seed % 4 != 0, rule).wrong;
                    }
                    assertThat(caught).as("%s forgotten in %s", rule, mode).isPositive();
                }
            }
        }
    }

    private static boolean exists(Forgotten rule, PagingMode mode) {
        switch (rule) {
            case PCID_TAG, KEY_RIGHT:
                return mode.isLong();
            case EXECUTE_RIGHT:
                return mode != PagingMode.BITS_32;
            case PDPTE_REGISTERS:
                return mode == PagingMode.PAE;
            default:
                return true;
        }
    }
}
