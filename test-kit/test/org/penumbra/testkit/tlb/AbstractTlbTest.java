package org.penumbra.testkit.tlb;

import static org.assertj.core.api.Assertions.assertThat;
import static org.penumbra.api.paging.ControlBits.*;
import static org.penumbra.testkit.tlb.AbstractTlb.Verdict.*;
import static org.penumbra.testkit.tlb.Guest.*;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PagingState;

/**
 * Each invalidation rule of SDM vol. 3, "Invalidation of TLBs and Paging-Structure Caches", and each demand on a cached
 * translation, shown to matter.
 *
 * <p>The guest: PML4 at 0x1000 (another at 0x8000 with the same entries), PDPT at 0x2000, PD at 0x3000, page tables at 0x4000
 * (gva 0 to 2 MiB) and 0x5000 (2 to 4 MiB). gva 0x0 is gpa 0x10000, gva 0x1000 is gpa 0x11000, gva 0x200000 is gpa 0x20000.
 */
class AbstractTlbTest {
    private static final long PML4 = 0x1000;
    private static final long PDPT = 0x2000;
    private static final long PD = 0x3000;
    private static final long PT = 0x4000;
    private static final long PT2 = 0x5000;
    private static final long OTHER_PML4 = 0x8000;
    private static final int READ = Access.READ | Access.USER;
    private static final int WRITE = Access.WRITE | Access.USER;
    private static final PagingState STATE = paging(PML4, 0);

    private final Guest guest = new Guest(2);

    @BeforeEach
    void tables() {
        guest.silently(PML4, 0, PDPT | USED);
        guest.silently(OTHER_PML4, 0, PDPT | USED);
        guest.silently(PDPT, 0, PD | USED);
        guest.silently(PD, 0, PT | USED);
        guest.silently(PD, 1, PT2 | USED);
        guest.silently(PT, 0, 0x10000 | USED);
        guest.silently(PT, 1, 0x11000 | USED);
        guest.silently(PT2, 0, 0x20000 | USED);
        boot(STATE);
    }

    private void boot(PagingState state) {
        guest.tlb.loaded(0, state, false);
        guest.tlb.loaded(1, state, false);
        touch();
    }

    /** vCPU 0 uses every page, so that every table is watched. */
    private void touch() {
        guest.use(0, 0, READ, 0x10000);
        guest.use(0, 0x1000, READ, 0x11000);
        guest.use(0, 0x200000, READ, 0x20000);
    }

    @Test
    @DisplayName("T11 what the tables say is allowed; any other frame is not")
    void current() {
        assertThat(guest.use(0, 0x123, READ, 0x10123)).isEqualTo(CURRENT);
        assertThat(guest.use(0, 0x123, READ, 0x10123)).as("remembered").isEqualTo(CURRENT);
        assertThat(guest.use(0, 0x123, READ, 0x11123)).isEqualTo(WRONG);
        assertThat(guest.use(0, 0x123, READ, 0x10124)).isEqualTo(WRONG);
        assertThat(guest.tlb.translated(0, 0x123, READ, 0x10123)).as("a gpa taken for an hpa").isEqualTo(WRONG);
        assertThat(guest.use(0, 0x2000, READ, 0x12000)).as("not present").isEqualTo(WRONG);
    }

    @Test
    @DisplayName("T11 until INVLPG the old translation is allowed, after it not (\"Operations that Invalidate\")")
    void invlpg() {
        guest.set(PT, 0, 0x30000 | USED);
        assertThat(guest.use(0, 0, READ, 0x10000)).isEqualTo(STALE);
        assertThat(guest.use(0, 0, READ, 0x30000)).isEqualTo(CURRENT);
        guest.tlb.invalidatedPage(0, 0xabc);
        assertThat(guest.use(0, 0, READ, 0x10000)).isEqualTo(WRONG);
        assertThat(guest.use(0, 0, READ, 0x30000)).isEqualTo(CURRENT);
    }

    @Test
    @DisplayName("T11 tidying up forgets neither what is allowed nor what is not")
    void tidyingUp() {
        guest.set(PT, 0, 0x30000 | USED);
        guest.set(PT, 1, 0x31000 | USED);
        guest.tlb.invalidatedPage(0, 0);
        guest.tlb.sweep();
        assertThat(guest.use(0, 0, READ, 0x10000)).isEqualTo(WRONG);
        assertThat(guest.use(0, 0x1000, READ, 0x11000)).isEqualTo(STALE);
        guest.tlb.loaded(0, STATE, false);
        guest.tlb.sweep();
        assertThat(guest.tlb.olderValues()).as("vCPU 1 may still have them").isEqualTo(2);
        assertThat(guest.use(1, 0, READ, 0x10000)).isEqualTo(STALE);
        guest.tlb.loaded(1, STATE, false);
        guest.tlb.sweep();
        assertThat(guest.tlb.olderValues()).isZero();
    }

    @Test
    @DisplayName("T11 an unmapped page may be used until INVLPG")
    void unmapped() {
        guest.set(PT, 0, 0);
        assertThat(guest.use(0, 0, READ, 0x10000)).isEqualTo(STALE);
        guest.tlb.invalidatedPage(0, 0);
        assertThat(guest.use(0, 0, READ, 0x10000)).isEqualTo(WRONG);
    }

    @Test
    @DisplayName("T11 a value written and replaced between two uses may have been cached: speculative fills")
    void speculative() {
        guest.set(PT, 0, 0x30000 | USED);
        guest.set(PT, 0, 0x31000 | USED);
        assertThat(guest.use(0, 0, READ, 0x30000)).isEqualTo(STALE);
        assertThat(guest.use(0, 0, READ, 0x10000)).isEqualTo(STALE);
    }

    @Test
    @DisplayName("T11 a store narrower than an entry counts")
    void partialStore() {
        guest.memory.store(BASE + PT + 1, 1, 0x30000 >>> 8 & 0xff);
        guest.memory.store(BASE + PT + 2, 1, 0x3);
        guest.tlb.written(BASE + PT + 1, 2);
        assertThat(guest.use(0, 0, READ, 0x30000)).isEqualTo(CURRENT);
        guest.tlb.invalidatedPage(0, 0);
        assertThat(guest.use(0, 0, READ, 0x10000)).isEqualTo(WRONG);
    }

    @Test
    @DisplayName("T11 INVLPG of another page leaves this page's TLB entry")
    void invlpgOfAnotherPage() {
        guest.set(PT, 0, 0x30000 | USED);
        guest.tlb.invalidatedPage(0, 0x1000);
        assertThat(guest.use(0, 0, READ, 0x10000)).isEqualTo(STALE);
    }

    @Test
    @DisplayName("T11 INVLPG drops every paging-structure-cache entry of the PCID: no old table with a new entry afterwards")
    void invlpgDropsPagingStructureCaches() {
        guest.set(PD, 0, PT2 | USED);
        guest.set(PT, 0, 0x30000 | USED);
        assertThat(guest.use(0, 0, READ, 0x30000)).as("old PDE from a cache, new PTE from memory").isEqualTo(STALE);
        assertThat(guest.use(0, 0, READ, 0x10000)).as("both old").isEqualTo(STALE);
        assertThat(guest.use(0, 0, READ, 0x20000)).as("both new").isEqualTo(CURRENT);

        guest.set(PT, 0, 0x31000 | USED);
        guest.tlb.invalidatedPage(0, 0x1000);
        assertThat(guest.use(0, 0, READ, 0x31000)).as("cached before the INVLPG").isEqualTo(STALE);
        guest.set(PT, 0, 0x32000 | USED);
        assertThat(guest.use(0, 0, READ, 0x32000)).as("old PDE is dropped, so nothing reads the table now").isEqualTo(WRONG);
        assertThat(guest.use(0, 0, READ, 0x10000)).as("a TLB entry of before").isEqualTo(STALE);
    }

    @Test
    @DisplayName("T11 the worked example of the README")
    void workedExample() {
        guest.set(PT, 0, 0xb000 | USED);
        guest.set(PT, 0, 0xc000 | USED);
        guest.tlb.invalidatedPage(0, 0x1000);
        assertThat(guest.use(0, 0, READ, 0xc000)).isEqualTo(CURRENT);
        assertThat(guest.use(0, 0, READ, 0xb000)).isEqualTo(STALE);
        assertThat(guest.use(0, 0, READ, 0x10000)).isEqualTo(STALE);
        guest.tlb.invalidatedPage(0, 0);
        assertThat(guest.use(0, 0, READ, 0xb000)).isEqualTo(WRONG);

        guest.set(PT2, 0, 0xd000 | USED);
        guest.set(PD, 0, PT2 | USED);
        guest.tlb.invalidatedPage(0, 0x1000);
        guest.set(PT, 0, 0xe000 | USED);
        assertThat(guest.use(0, 0, READ, 0xd000)).isEqualTo(CURRENT);
        assertThat(guest.use(0, 0, READ, 0xc000)).isEqualTo(STALE);
        assertThat(guest.use(0, 0, READ, 0xe000)).isEqualTo(WRONG);
    }

    @Test
    @DisplayName("T11 an entry is read before those below it: an old leaf under a newer table pointer was never cached")
    void readingOrder() {
        guest.set(PT, 0, 0x30000 | USED);
        guest.set(PD, 2, PT | USED);
        assertThat(guest.use(0, 0x400000, READ, 0x30000)).isEqualTo(CURRENT);
        assertThat(guest.use(0, 0x400000, READ, 0x10000)).isEqualTo(WRONG);

        guest.set(PD, 0, PT2 | USED);
        guest.set(PDPT, 1, PD | USED);
        assertThat(guest.use(0, 0x40000000, READ, 0x20000)).isEqualTo(CURRENT);
        assertThat(guest.use(0, 0x40000000, READ, 0x30000)).as("an old PDE under a newer PDPTE").isEqualTo(WRONG);
    }

    @Test
    @DisplayName("T11 a table that only an old pointer leads to has a history too")
    void tableBelowAnOldPointer() {
        guest.silently(0x9000, 0, 0x40000 | USED);
        guest.set(PD, 0, 0x9000 | USED);
        guest.set(PD, 0, PT | USED);
        assertThat(guest.use(0, 0, READ, 0x40000)).isEqualTo(STALE);
        guest.set(0x9000, 0, 0x41000 | USED);
        assertThat(guest.use(0, 0, READ, 0x40000)).isEqualTo(STALE);
        assertThat(guest.use(0, 0, READ, 0x41000)).isEqualTo(STALE);
        guest.tlb.invalidatedPage(0, 0);
        assertThat(guest.use(0, 0, READ, 0x40000)).isEqualTo(WRONG);
    }

    @Test
    @DisplayName("T11 MOV CR3 drops what is not global, CR4.PGE = 1 or 0")
    void movCr3() {
        guest.set(PT, 0, 0x30000 | USED);
        guest.tlb.loaded(0, STATE, false);
        assertThat(guest.use(0, 0, READ, 0x10000)).isEqualTo(WRONG);
        guest.set(PT, 1, 0x31000 | USED | GLOBAL);
        guest.set(PT, 1, 0x32000 | USED);
        assertThat(guest.use(0, 0x1000, READ, 0x31000)).isEqualTo(STALE);
        guest.tlb.loaded(0, STATE, false);
        assertThat(guest.use(0, 0x1000, READ, 0x31000)).as("G without PGE is nothing").isEqualTo(WRONG);
    }

    @Test
    @DisplayName("T11 MOV CR3 keeps global translations, also under another root; INVLPG and a change of PGE drop them")
    void globals() {
        PagingState pge = paging(PML4, CR4_PGE);
        boot(pge);
        guest.set(PT, 0, 0x10000 | USED | GLOBAL);
        guest.set(PT, 0, 0x30000 | USED);
        guest.set(PT, 1, 0x31000 | USED);
        guest.tlb.loaded(0, paging(OTHER_PML4, CR4_PGE), false);
        assertThat(guest.use(0, 0, READ, 0x10000)).isEqualTo(STALE);
        assertThat(guest.use(0, 0x1000, READ, 0x11000)).as("not global").isEqualTo(WRONG);
        guest.tlb.invalidatedPage(0, 0x1000);
        assertThat(guest.use(0, 0, READ, 0x10000)).as("INVLPG of another page").isEqualTo(STALE);

        guest.tlb.loaded(0, paging(OTHER_PML4, 0), false);
        assertThat(guest.use(0, 0, READ, 0x10000)).as("PGE changed").isEqualTo(WRONG);
    }

    @Test
    @DisplayName("T11 INVLPG drops global translations whatever their PCID")
    void invlpgOfGlobal() {
        boot(paging(PML4, CR4_PGE | CR4_PCIDE));
        guest.set(PT, 0, 0x10000 | USED | GLOBAL);
        guest.set(PT, 0, 0x30000 | USED);
        guest.tlb.loaded(0, paging(OTHER_PML4 | 5, CR4_PGE | CR4_PCIDE), true);
        assertThat(guest.use(0, 0, READ, 0x10000)).isEqualTo(STALE);
        guest.tlb.invalidatedPage(0, 0);
        assertThat(guest.use(0, 0, READ, 0x10000)).isEqualTo(WRONG);
    }

    @Test
    @DisplayName("T11 a global translation of an address space that is gone stays allowed")
    void globalOfAnotherRoot() {
        boot(paging(PML4, CR4_PGE));
        guest.set(PT2, 0, 0x20000 | USED | GLOBAL);
        touch();
        guest.silently(OTHER_PML4, 0, 0);
        guest.tlb.loaded(0, paging(OTHER_PML4, CR4_PGE), false);
        assertThat(guest.use(0, 0x200000, READ, 0x20000)).isEqualTo(STALE);
        assertThat(guest.use(0, 0, READ, 0x10000)).as("not global").isEqualTo(WRONG);
        assertThat(guest.use(1, 0x200000, READ, 0x20000)).as("the other vCPU is still there").isEqualTo(CURRENT);
    }

    @Test
    @DisplayName("T11 a PCID's translations serve that PCID only; MOV CR3 with bit 63 keeps them, without drops them")
    void pcids() {
        PagingState one = paging(PML4 | 1, CR4_PCIDE);
        PagingState two = paging(OTHER_PML4 | 2, CR4_PCIDE);
        boot(one);
        guest.set(PT, 0, 0x30000 | USED);
        assertThat(guest.use(0, 0, READ, 0x10000)).isEqualTo(STALE);
        guest.tlb.loaded(0, two, true);
        assertThat(guest.use(0, 0, READ, 0x10000)).as("PCID 2 never saw it").isEqualTo(WRONG);
        guest.tlb.invalidatedPage(0, 0);
        guest.tlb.loaded(0, one, true);
        assertThat(guest.use(0, 0, READ, 0x10000)).as("INVLPG under PCID 2 left PCID 1 alone").isEqualTo(STALE);
        guest.tlb.loaded(0, two, false);
        guest.tlb.loaded(0, one, true);
        assertThat(guest.use(0, 0, READ, 0x10000)).as("a flush of PCID 2 left PCID 1 alone").isEqualTo(STALE);
        guest.tlb.loaded(0, one, false);
        assertThat(guest.use(0, 0, READ, 0x10000)).isEqualTo(WRONG);
    }

    @Test
    @DisplayName("T11 with bit 63 even another root under the same PCID keeps the old translations")
    void keptUnderAnotherRoot() {
        boot(paging(PML4 | 1, CR4_PCIDE));
        guest.silently(OTHER_PML4, 0, 0);
        guest.tlb.loaded(0, paging(OTHER_PML4 | 1, CR4_PCIDE), true);
        assertThat(guest.use(0, 0, READ, 0x10000)).isEqualTo(STALE);
        guest.tlb.loaded(0, paging(OTHER_PML4 | 1, CR4_PCIDE), false);
        assertThat(guest.use(0, 0, READ, 0x10000)).isEqualTo(WRONG);
    }

    @Test
    @DisplayName("T11 clearing CR4.PCIDE, setting SMEP and clearing CR0.PG drop; setting WP does not")
    void otherRegisters() {
        guest.set(PT, 0, 0x30000 | USED);
        guest.tlb.loaded(0, STATE.withCr0(CR0_PE | CR0_PG), false);
        assertThat(guest.use(0, 0, READ, 0x10000)).as("CR0.WP").isEqualTo(STALE);
        guest.tlb.loaded(0, paging(PML4, CR4_SMAP).withCr0(CR0_PE | CR0_PG), false);
        assertThat(guest.use(0, 0, READ, 0x10000)).as("CR4.SMAP").isEqualTo(STALE);
        guest.tlb.loaded(0, paging(PML4, CR4_SMEP), false);
        assertThat(guest.use(0, 0, READ, 0x10000)).as("CR4.SMEP 0 to 1").isEqualTo(WRONG);

        guest.set(PT, 1, 0x31000 | USED);
        guest.tlb.loaded(0, paging(PML4, CR4_SMEP | CR4_PCIDE), false);
        assertThat(guest.use(0, 0x1000, READ, 0x11000)).as("CR4.PCIDE 0 to 1").isEqualTo(STALE);
        guest.tlb.loaded(0, paging(PML4, CR4_SMEP), false);
        assertThat(guest.use(0, 0x1000, READ, 0x11000)).as("CR4.PCIDE 1 to 0").isEqualTo(WRONG);

        guest.set(PT2, 0, 0x33000 | USED);
        guest.tlb.loaded(0, paging(PML4, CR4_SMEP).withCr0(CR0_PE), false);
        assertThat(guest.use(0, 0x200000, READ, 0x200000)).as("linear is physical").isEqualTo(CURRENT);
        guest.tlb.loaded(0, paging(PML4, CR4_SMEP), false);
        assertThat(guest.use(0, 0x200000, READ, 0x20000)).as("CR0.PG").isEqualTo(WRONG);
    }

    @Test
    @DisplayName("T11 each vCPU has its own caches")
    void vcpus() {
        guest.set(PT, 0, 0x30000 | USED);
        guest.tlb.invalidatedPage(0, 0);
        assertThat(guest.use(0, 0, READ, 0x10000)).isEqualTo(WRONG);
        assertThat(guest.use(1, 0, READ, 0x10000)).isEqualTo(STALE);
        guest.tlb.invalidatedPage(1, 0);
        assertThat(guest.use(1, 0, READ, 0x10000)).isEqualTo(WRONG);
    }

    @Test
    @DisplayName("T11 a page fault drops what is cached for its address")
    void pageFaultInvalidates() {
        guest.set(PT, 0, 0x30000 | P | U | A);
        assertThat(guest.use(0, 0, WRITE, 0x10000)).isEqualTo(STALE);
        assertThat(guest.tlb.pageFault(0, 0, 7, false)).isEqualTo(CURRENT);
        assertThat(guest.use(0, 0, READ, 0x10000)).isEqualTo(WRONG);
        assertThat(guest.use(0, 0, READ, 0x30000)).isEqualTo(CURRENT);
    }

    @Test
    @DisplayName("T07 a used translation has its accessed bits set, at every level")
    void accessed() {
        for (long table : new long[] {PML4, PDPT, PD, PT}) {
            long entry = guest.memory.load64(BASE + table);
            guest.set(table, 0, entry & ~A);
            guest.tlb.loaded(0, STATE, false);
            assertThat(guest.use(0, 0, READ, 0x10000)).as("table 0x%x", table).isEqualTo(WRONG);
            guest.silently(table, 0, entry);
            assertThat(guest.use(0, 0, READ, 0x10000)).as("table 0x%x", table).isEqualTo(CURRENT);
        }
    }

    @Test
    @DisplayName("T07 after software cleared an accessed bit the cached translation may go on until INVLPG")
    void agedPage() {
        guest.set(PT, 0, 0x10000 | USED & ~A);
        assertThat(guest.use(0, 0, READ, 0x10000)).isEqualTo(STALE);
        guest.tlb.invalidatedPage(0, 0);
        assertThat(guest.use(0, 0, READ, 0x10000)).isEqualTo(WRONG);
    }

    @Test
    @DisplayName("T07 a write goes through a translation with its dirty bit set; a read need not")
    void dirty() {
        guest.set(PT, 0, 0x10000 | USED & ~D);
        guest.tlb.invalidatedPage(0, 0);
        assertThat(guest.use(0, 0, READ, 0x10000)).isEqualTo(CURRENT);
        assertThat(guest.use(0, 0, WRITE, 0x10000)).isEqualTo(WRONG);
        guest.silently(PT, 0, 0x10000 | USED);
        assertThat(guest.use(0, 0, WRITE, 0x10000)).isEqualTo(CURRENT);
        guest.set(PT, 0, 0x10000 | USED & ~D);
        assertThat(guest.use(0, 0, WRITE, 0x10000)).as("cleaned, not yet flushed").isEqualTo(STALE);
        guest.tlb.loaded(0, STATE, false);
        assertThat(guest.use(0, 0, WRITE, 0x10000)).isEqualTo(WRONG);
    }

    @Test
    @DisplayName("T07 flags that the processor sets are not reported: a replaced entry may have had them")
    void unreportedFlags() {
        guest.set(PT, 0, 0x30000 | P | W | U);
        guest.tlb.invalidatedPage(0, 0);
        assertThat(guest.use(0, 0, READ, 0x30000)).isEqualTo(WRONG);
        guest.silently(PT, 0, 0x30000 | P | W | U | A);
        assertThat(guest.use(0, 0, READ, 0x30000)).isEqualTo(CURRENT);
        assertThat(guest.use(0, 0, WRITE, 0x30000)).isEqualTo(WRONG);
        guest.set(PT, 0, 0);
        assertThat(guest.use(0, 0, READ, 0x30000)).isEqualTo(STALE);
        assertThat(guest.use(0, 0, WRITE, 0x30000)).as("dirty, unseen").isEqualTo(STALE);

        guest.set(PT, 1, 0x31000 | P | W | U);
        guest.set(PT, 1, 0x32000 | USED);
        assertThat(guest.use(0, 0x1000, WRITE, 0x31000)).as("accessed and dirty, unseen").isEqualTo(STALE);
    }

    @Test
    @DisplayName("T06 rights of an old translation are judged by the registers of now")
    void rightsNow() {
        guest.set(PT, 0, 0x10000 | P | A | D);
        assertThat(guest.use(0, 0, Access.WRITE, 0x10000)).isEqualTo(STALE);
        guest.tlb.invalidatedPage(0, 0);
        assertThat(guest.use(0, 0, Access.WRITE, 0x10000)).as("read-only with WP").isEqualTo(WRONG);
        guest.tlb.loaded(0, STATE.withCr0(CR0_PE | CR0_PG), false);
        assertThat(guest.use(0, 0, Access.WRITE, 0x10000)).as("WP cleared").isEqualTo(CURRENT);
        assertThat(guest.use(0, 0, READ, 0x10000)).as("a supervisor page").isEqualTo(WRONG);
    }

    @Test
    @DisplayName("T08 rights extended without INVLPG: the fault of the old translation may come, once")
    void spuriousFault() {
        guest.set(PT, 0, 0x10000 | P | U | A);
        touch();
        guest.set(PT, 0, 0x10000 | USED);
        assertThat(guest.tlb.pageFault(0, 0, 7, false)).isEqualTo(STALE);
        assertThat(guest.tlb.pageFault(0, 0, 7, false)).as("the fault itself dropped the entry").isEqualTo(WRONG);
        assertThat(guest.use(0, 0, WRITE, 0x10000)).isEqualTo(CURRENT);
    }

    @Test
    @DisplayName("T08 a page fault drops a global translation of the current PCID: with CR4.PCIDE = 1 it may be another's and stay")
    void faultByAGlobalTranslation() {
        for (long pcide : new long[] {0, CR4_PCIDE}) {
            boot(paging(PML4, CR4_PGE | pcide));
            guest.set(PT, 0, 0x10000 | P | U | A | GLOBAL);
            touch();
            guest.set(PT, 0, 0x10000 | USED | GLOBAL);
            assertThat(guest.tlb.pageFault(0, 0, 7, false)).isEqualTo(STALE);
            assertThat(guest.tlb.pageFault(0, 0, 7, false)).isEqualTo(pcide == 0 ? WRONG : STALE);
            guest.tlb.invalidatedPage(0, 0);
            assertThat(guest.tlb.pageFault(0, 0, 7, false)).isEqualTo(WRONG);
        }
    }

    @Test
    @DisplayName("T08 a not-present entry is never cached: its fault must be in the tables now, or below a cached table pointer")
    void notPresentIsNotCached() {
        guest.tlb.pageFault(0, 0x2000, 4, false);
        guest.set(PT, 2, 0x12000 | USED);
        assertThat(guest.tlb.pageFault(0, 0x2000, 4, false)).isEqualTo(WRONG);
        guest.set(PT2, 3, 0x13000 | USED);
        guest.set(PD, 0, PT2 | USED);
        guest.set(PT, 3, 0);
        assertThat(guest.tlb.pageFault(0, 0x3000, 4, false)).as("old PDE cached").isEqualTo(STALE);
        guest.tlb.invalidatedPage(0, 0x7000);
        assertThat(guest.tlb.pageFault(0, 0x3000, 4, false)).isEqualTo(WRONG);
    }

    @Test
    @DisplayName("T08 nor is a reserved bit cached, nor an absent entry of another top-level table")
    void neitherReservedNorElsewhere() {
        guest.set(PML4, 1, PDPT | USED | LARGE);
        assertThat(guest.tlb.pageFault(0, 1L << 39, 4 | 9, false)).isEqualTo(CURRENT);
        guest.set(PML4, 1, PDPT | USED);
        assertThat(guest.tlb.pageFault(0, 1L << 39, 4 | 9, false)).isEqualTo(WRONG);

        boot(paging(PML4 | 1, CR4_PCIDE));
        guest.silently(OTHER_PML4, 0, 0);
        guest.tlb.loaded(0, paging(OTHER_PML4 | 1, CR4_PCIDE), true);
        assertThat(guest.tlb.pageFault(0, 0x1000, 4, false)).isEqualTo(CURRENT);
        guest.tlb.loaded(0, paging(PML4 | 1, CR4_PCIDE), true);
        assertThat(guest.tlb.pageFault(0, 0x1000, 4, false)).isEqualTo(WRONG);
    }

    @Test
    @DisplayName("T08 the error code must fit exactly")
    void errorCodes() {
        assertThat(guest.tlb.pageFault(0, 0x2000, 4, false)).isEqualTo(CURRENT);
        assertThat(guest.tlb.pageFault(0, 0x2000, 5, false)).isEqualTo(WRONG);
        assertThat(guest.tlb.pageFault(0, 0x2000, 4 | 8, false)).isEqualTo(WRONG);
        assertThat(guest.tlb.pageFault(0, 0, 4, false)).as("mapped").isEqualTo(WRONG);
        assertThat(guest.tlb.pageFault(0, 0x2000, 20, false)).as("fetch").isEqualTo(CURRENT);
        guest.set(PT, 4, 0x14000 | USED | 1L << 63);
        guest.tlb.loaded(0, new PagingState(STATE.cr0(), PML4, CR4_PAE, EFER_LME | EFER_LMA, 0, 0), false);
        assertThat(guest.tlb.pageFault(0, 0x4000, 4 | 9, false)).as("XD is reserved while NXE = 0").isEqualTo(CURRENT);
    }

    @Test
    @DisplayName("T08 SMAP: EFLAGS.AC at the time of the fault decides")
    void smap() {
        guest.tlb.loaded(0, paging(PML4, CR4_SMAP), false);
        assertThat(guest.tlb.pageFault(0, 0, 1, false)).isEqualTo(CURRENT);
        assertThat(guest.tlb.pageFault(0, 0, 1, true)).isEqualTo(WRONG);
    }

    @Test
    @DisplayName("a complaint says who, what, what the tables say, and which old walk would be needed")
    void complaint() {
        guest.set(PT, 0, 0x30000 | USED);
        guest.tlb.invalidatedPage(0, 0);
        assertThat(guest.use(0, 8, WRITE, 0x10008)).isEqualTo(WRONG);
        assertThat(guest.tlb.complaint(0, 8, WRITE, BASE + 0x10008))
                .contains("vCPU 0: user write of gva 0x8 used hpa 0x40010008")
                .contains("the tables say gpa 0x30008 at hpa 0x40030008 by PML4E 0x2067, PDPTE 0x3067, PDE 0x4067, PTE 0x30067")
                .contains("there leads only PML4E 0x2067, PDPTE 0x3067, PDE 0x4067, PTE 0x10067 (until event 3), not allowed since the invalidation at event 4")
                .doesNotContain("\n");
        assertThat(guest.tlb.complaint(0, 8, WRITE, BASE + 0x77008)).contains("no older entry leads there");
        assertThat(guest.tlb.faultComplaint(0, 0x8, 6, false)).contains("user write of gva 0x8 got #PF(W U); the tables say gpa 0x30008");
    }
}
