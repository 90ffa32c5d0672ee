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
import org.penumbra.api.paging.PagingState;
import org.penumbra.testkit.tlb.AbstractTlb.Verdict;
import org.penumbra.testkit.tlb.ModelProcessor.Forgotten;

/**
 * The abstract TLB against a processor that was written for nothing but this test: random guests edit random entries of a small
 * tree of tables, use pages, invalidate, and load control registers, on two vCPUs.
 */
class ModelProcessorTest {
    /** Two tables of each level, at gpa 0x1000 to 0x8000; bits 0 of the four indexes vary in an address. */
    private static final long[][] TABLES = {{}, {0x7000, 0x8000}, {0x5000, 0x6000}, {0x3000, 0x4000}, {0x1000, 0x2000}};

    private static final class Run {
        final Random random;
        final Guest guest = new Guest(2);
        final ModelProcessor[] cpus = new ModelProcessor[2];
        int current;
        int stale;
        int wrong;
        String complaint;

        Run(long seed, boolean pcids, Forgotten... forgotten) {
            random = new Random(seed);
            for (int level = 1; level <= 4; level++) {
                for (long table : TABLES[level]) {
                    guest.silently(table, 0, entry(level));
                    guest.silently(table, 1, entry(level));
                }
            }
            long cr4 = CR4_PGE | (pcids ? CR4_PCIDE : 0);
            for (int v = 0; v < 2; v++) {
                cpus[v] = new ModelProcessor(guest, random, forgotten);
                load(v, paging(TABLES[4][v], cr4), false);
            }
            for (int step = 0; step < 600 && wrong == 0; step++) {
                step(random.nextInt(2));
                if (random.nextInt(30) == 0) {
                    guest.tlb.sweep();
                }
            }
        }

        private void step(int v) {
            switch (random.nextInt(24)) {
                case 0, 1, 2, 3:
                    int level = 1 + random.nextInt(4);
                    guest.set(TABLES[level][random.nextInt(2)], random.nextInt(2), entry(level));
                    break;
                case 4:
                    long gva = gva();
                    cpus[v].invlpg(gva);
                    guest.tlb.invalidatedPage(v, gva);
                    break;
                case 5:
                    load(v, nextState(cpus[v].state), random.nextBoolean());
                    break;
                default:
                    access(v, gva(), random.nextInt(2) | (random.nextInt(3) == 0 ? 0 : Access.USER));
            }
        }

        private PagingState nextState(PagingState state) {
            switch (random.nextInt(6)) {
                case 0:
                    return state.withCr4(state.cr4() ^ CR4_PGE);
                case 1:
                    return state.withCr0(state.cr0() ^ CR0_WP);
                default:
                    return state.withCr3(TABLES[4][random.nextInt(2)] | (state.has4(CR4_PCIDE) ? random.nextInt(3) : 0));
            }
        }

        private void load(int v, PagingState state, boolean keep) {
            PagingState old = cpus[v].state;
            if (old.has0(CR0_PG) && old.cr0() != state.cr0()) {
                cpus[v].state = state;
            } else {
                cpus[v].load(state, keep);
            }
            guest.tlb.loaded(v, state, keep);
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
            long gva = random.nextInt(4096);
            for (int level = 1; level <= 4; level++) {
                gva |= (long) random.nextInt(2) << 12 + 9 * (level - 1);
            }
            return gva;
        }

        private long entry(int level) {
            long bits = (random.nextInt(8) == 0 ? 0 : P) | (random.nextInt(4) == 0 ? 0 : W) | (random.nextInt(5) == 0 ? 0 : U)
                    | (random.nextBoolean() ? A : 0) | (random.nextBoolean() ? D : 0) | (random.nextInt(4) == 0 ? GLOBAL : 0);
            boolean large = level == 2 && random.nextInt(4) == 0;
            if (large) {
                return bits | LARGE | (long) random.nextInt(4) << 21;
            }
            return bits | (level == 1 ? 0x10000L + (random.nextInt(8) << 12) : TABLES[level - 1][random.nextInt(2)]);
        }
    }

    @Property(tries = 300)
    @Label("T11 no translation and no page fault of a processor that keeps the rules is called wrong")
    void sound(@ForAll long seed, @ForAll boolean pcids) {
        Run run = new Run(seed, pcids);
        assertThat(run.complaint).isNull();
        assertThat(run.current).isPositive();
    }

    @Example
    @Label("T11 the runs are no empty exercise: many uses are stale")
    void exercised() {
        int current = 0;
        int stale = 0;
        for (int seed = 0; seed < 100; seed++) {
            Run run = new Run(seed, seed % 2 == 0);
            current += run.current;
            stale += run.stale;
        }
        System.out.println("current " + current + ", stale " + stale);
        assertThat(stale).isGreaterThan(current / 50);
    }

    @Example
    @Label("T11 a processor that forgets a rule is found out, whichever rule it is")
    void mutants() {
        for (Forgotten rule : Forgotten.values()) {
            int caught = 0;
            for (int seed = 0; seed < 60; seed++) {
                caught += new Run(seed, seed % 2 == 0, rule).wrong;
            }
            System.out.println(rule + " forgotten: caught in " + caught + " of 60 runs");
            assertThat(caught).as("%s forgotten", rule).isPositive();
        }
    }
}
