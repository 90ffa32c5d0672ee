package org.penumbra.testkit.tlb;

import static org.assertj.core.api.Assertions.assertThat;
import static org.penumbra.api.paging.ControlBits.CR4_PGE;
import static org.penumbra.testkit.tlb.Guest.*;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.paging.Access;
import org.penumbra.testkit.tlb.AbstractTlb.Verdict;

/** What a run of many accesses costs: memory stays bounded; times are printed, not judged. */
class LongRunTest {
    private static final int READ = Access.READ | Access.USER;
    private static final int TABLES = 64;
    private static final int PAGES = TABLES * 512;
    private static final long FIRST_TABLE = 0x10000;
    private static final long FIRST_FRAME = 0x1000000;

    private final Guest guest = new Guest(1);

    /** 128 MiB from gva 0, frame by frame, below the root at {@code root}. */
    private void map(long root) {
        guest.set(root, 0, root + 0x1000 | USED);
        guest.set(root + 0x1000, 0, root + 0x2000 | USED);
        for (int t = 0; t < TABLES; t++) {
            guest.set(root + 0x2000, t, FIRST_TABLE + 0x1000L * t | USED);
            for (int i = 0; i < 512; i++) {
                guest.set(FIRST_TABLE + 0x1000L * t, i, FIRST_FRAME + (512L * t + i << 12) | USED);
            }
        }
    }

    private Verdict use(int page) {
        return guest.use(0, (long) page << 12, READ, FIRST_FRAME + ((long) page << 12));
    }

    @Test
    @DisplayName("T11 a process that changes and invalidates its pages without end leaves no more than a few old values an entry")
    void churnWithInvlpg() {
        map(0x1000);
        guest.tlb.loaded(0, paging(0x1000, 0), false);
        for (int round = 0; round < 40; round++) {
            for (int page = 0; page < PAGES; page += 8) {
                long table = FIRST_TABLE + 0x1000L * (page / 512);
                guest.set(table, page % 512, FIRST_FRAME + ((long) (page + round) << 12) | USED);
                guest.tlb.invalidatedPage(0, (long) page << 12);
                assertThat(guest.use(0, (long) page << 12, READ, FIRST_FRAME + ((long) (page + round) << 12))).isEqualTo(Verdict.CURRENT);
            }
        }
        assertThat(guest.tlb.olderValues()).isLessThanOrEqualTo(WatchedTable.OLDER * PAGES / 8);
    }

    @Test
    @DisplayName("T11 tables and values of an address space are forgotten when nothing of it can be cached any more")
    void processes() {
        map(0x1000);
        for (int process = 0; process < 2000; process++) {
            long root = 0x100000 + 0x3000L * process;
            guest.set(root, 0, root + 0x1000 | USED);
            guest.set(root + 0x1000, 0, root + 0x2000 | USED);
            guest.set(root + 0x2000, 0, FIRST_TABLE | USED);
            guest.tlb.loaded(0, paging(root, 0), false);
            assertThat(use(process & 511)).isEqualTo(Verdict.CURRENT);
            guest.set(root, 0, 0);
        }
        assertThat(guest.tlb.watchedTables()).as("tidied up without being asked").isLessThan(4096);
        guest.tlb.sweep();
        assertThat(guest.tlb.watchedTables()).as("the last process, not yet flushed").isEqualTo(4);
        guest.tlb.loaded(0, paging(0x1000, 0), false);
        guest.tlb.sweep();
        assertThat(guest.tlb.watchedTables()).isZero();
        assertThat(guest.tlb.olderValues()).isZero();
    }

    @Test
    @DisplayName("T11 a frame that is a table no longer is watched no longer, whatever is stored in it")
    void formerTables() {
        map(0x1000);
        guest.tlb.loaded(0, paging(0x1000, 0), false);
        for (int page = 0; page < PAGES; page += 512) {
            assertThat(use(page)).isEqualTo(Verdict.CURRENT);
        }
        assertThat(guest.tlb.watchedTables()).isEqualTo(3 + TABLES);
        guest.set(0x3000, 0, 0);
        guest.tlb.loaded(0, paging(0x1000, 0), false);
        for (int data = 0; data < 1 << 14; data++) {
            guest.set(FIRST_TABLE, data % 512, 0x1000L * data | 1);
        }
        guest.tlb.sweep();
        assertThat(guest.tlb.watchedTables()).isEqualTo(3 + TABLES - 1);
        assertThat(guest.tlb.olderValues()).isZero();
    }

    @Test
    @DisplayName("rough cost of a checked access, printed")
    void timing() {
        map(0x1000);
        guest.tlb.loaded(0, paging(0x1000, 0), false);
        for (int warm = 0; warm < 3; warm++) {
            long t0 = System.nanoTime();
            for (int i = 0; i < 5_000_000; i++) {
                use(i & 1023);
            }
            long t1 = System.nanoTime();
            for (int i = 0; i < 2_000_000; i++) {
                use(i * 977 & PAGES - 1);
            }
            long t2 = System.nanoTime();
            for (int i = 0; i < 20_000; i++) {
                guest.set(FIRST_TABLE, 0, FIRST_FRAME + (long) (i & 7) << 12 | USED);
                guest.use(0, 0, READ, FIRST_FRAME + (long) (i + 3 & 7) << 12);
            }
            long t3 = System.nanoTime();
            guest.set(FIRST_TABLE, 0, FIRST_FRAME | USED);
            guest.tlb.loaded(0, paging(0x1000, 0), false);
            System.out.printf("ns per access: remembered %d, walked %d, stale (with the store) %d%n",
                    (t1 - t0) / 5_000_000, (t2 - t1) / 2_000_000, (t3 - t2) / 20_000);
        }
        assertThat(use(1)).isEqualTo(Verdict.CURRENT);
    }
}
