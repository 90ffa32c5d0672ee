package org.penumbra.testkit.tlb;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.penumbra.api.paging.ControlBits.*;
import static org.penumbra.testkit.tlb.AbstractTlb.Verdict.*;
import static org.penumbra.testkit.tlb.Guest.*;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PagingState;

/**
 * The four types of SDM vol. 3, "Operations that Invalidate TLBs and Paging-Structure Caches", INVPCID: neither less nor more.
 *
 * <p>PCIDs 1 and 2 share their tables. Pages 0 and 1 are not global, page 2 is; all were replaced and nothing was flushed, so that
 * gpa 0x10000, 0x11000, 0x12000 are stale. Page 0x200 is below another page table.
 */
class InvpcidTest {
    private static final long PD = 0x3000;
    private static final long PT = 0x4000;
    private static final long PT2 = 0x5000;
    private static final int READ = Access.READ | Access.USER;
    private static final PagingState ONE = paging(0x1000 | 1, CR4_PCIDE | CR4_PGE);
    private static final PagingState TWO = paging(0x1000 | 2, CR4_PCIDE | CR4_PGE);

    private final Guest guest = new Guest(2);

    @BeforeEach
    void tables() {
        guest.silently(0x1000, 0, 0x2000 | USED);
        guest.silently(0x2000, 0, PD | USED);
        guest.silently(PD, 0, PT | USED);
        guest.silently(PD, 1, PT2 | USED);
        guest.silently(PT, 0, 0x10000 | USED);
        guest.silently(PT, 1, 0x11000 | USED);
        guest.silently(PT, 2, 0x12000 | USED | GLOBAL);
        guest.silently(PT2, 0, 0x20000 | USED);
        for (int v = 0; v < 2; v++) {
            guest.tlb.loaded(v, ONE, false);
            guest.use(v, 0, READ, 0x10000);
            guest.use(v, 0x200000, READ, 0x20000);
            guest.tlb.loaded(v, TWO, true);
            guest.use(v, 0, READ, 0x10000);
        }
        guest.set(PT, 0, 0x30000 | USED);
        guest.set(PT, 1, 0x31000 | USED);
        guest.set(PT, 2, 0x32000 | USED | GLOBAL);
    }

    /** Which of the three old pages vCPU {@code v} may still use: "0 1 G". */
    private String stale(int v) {
        String s = guest.use(v, 0, READ, 0x10000) == STALE ? "0 " : "";
        s += guest.use(v, 0x1000, READ, 0x11000) == STALE ? "1 " : "";
        s += guest.use(v, 0x2000, READ, 0x12000) == STALE ? "G " : "";
        return s.trim();
    }

    private String stale() {
        return stale(0);
    }

    private void load(PagingState state) {
        guest.tlb.loaded(0, state, true);
    }

    @Test
    @DisplayName("T11 INVPCID type 0: the page under that PCID, current or not; no other page, PCID or vCPU, no global page")
    void individualAddress() {
        guest.tlb.invalidatedPcid(0, 0, 1, 0xabc);
        assertThat(stale()).as("PCID 2 is current").isEqualTo("0 1 G");
        load(ONE);
        assertThat(stale()).isEqualTo("1 G");
        guest.tlb.invalidatedPcid(0, 0, 1, 0x2000);
        assertThat(stale()).as("global translations stay").isEqualTo("1 G");
        guest.tlb.invalidatedPcid(0, 0, 1, 0x1000);
        assertThat(stale()).as("the current PCID").isEqualTo("G");
        assertThat(stale(1)).isEqualTo("0 1 G");
    }

    @Test
    @DisplayName("T11 INVPCID type 1: everything of that PCID that is not global")
    void singleContext() {
        guest.tlb.invalidatedPcid(0, 1, 1, 0);
        assertThat(stale()).isEqualTo("0 1 G");
        load(ONE);
        assertThat(stale()).isEqualTo("G");
        guest.tlb.invalidatedPcid(0, 1, 2, 0);
        load(TWO);
        assertThat(stale()).isEqualTo("G");
        assertThat(stale(1)).isEqualTo("0 1 G");
    }

    @Test
    @DisplayName("T11 INVPCID type 2: everything of every PCID, global translations too")
    void allContextsAndGlobals() {
        guest.tlb.invalidatedPcid(0, 2, 0, 0);
        assertThat(stale()).isEmpty();
        load(ONE);
        assertThat(stale()).isEmpty();
        assertThat(stale(1)).isEqualTo("0 1 G");
    }

    @Test
    @DisplayName("T11 INVPCID type 3: everything of every PCID but global translations")
    void allContexts() {
        guest.tlb.invalidatedPcid(0, 3, 0, 0);
        assertThat(stale()).isEqualTo("G");
        load(ONE);
        assertThat(stale()).isEqualTo("G");
        guest.tlb.sweep();
        assertThat(stale()).as("tidying up keeps it").isEqualTo("G");
        assertThat(stale(1)).isEqualTo("0 1 G");
    }

    @Test
    @DisplayName("T11 INVPCID types 1, 2 and 3 drop paging-structure caches: no old table with a new entry afterwards; type 0 only for its address")
    void pagingStructureCaches() {
        for (int type = 0; type <= 3; type++) {
            tables();
            guest.set(PD, 0, PT2 | USED);
            guest.tlb.invalidatedPcid(0, type, 2, 0x200000);
            guest.set(PT, 1, 0x40000L + 0x1000 * type | USED);
            assertThat(guest.use(0, 0x1000, READ, 0x40000L + 0x1000 * type)).as("type %d", type).isEqualTo(type == 0 ? STALE : WRONG);
            guest.set(PD, 0, PT | USED);
        }
    }

    @Test
    @DisplayName("T11 the paging-structure caches of another PCID stay with INVPCID type 1, go with type 3")
    void pagingStructureCachesOfAnother() {
        guest.set(PD, 0, PT2 | USED);
        guest.tlb.invalidatedPcid(0, 1, 1, 0);
        guest.set(PT, 1, 0x40000 | USED);
        assertThat(guest.use(0, 0x1000, READ, 0x40000)).isEqualTo(STALE);
        guest.tlb.invalidatedPcid(0, 3, 1, 0);
        guest.set(PT, 1, 0x41000 | USED);
        assertThat(guest.use(0, 0x1000, READ, 0x41000)).isEqualTo(WRONG);
    }

    @ParameterizedTest(name = "T11 type {0}")
    @DisplayName("T11 nor is a global translation read through an old table after INVPCID types 1, 2 and 3, though those read before stay")
    @ValueSource(ints = {1, 2, 3})
    void globalBelowAnOldTable(int type) {
        guest.set(PD, 0, PT2 | USED);
        guest.set(PT, 2, 0x40000L | USED | GLOBAL);
        guest.tlb.invalidatedPcid(0, type, 1, 0);
        assertThat(guest.use(0, 0x2000, READ, 0x40000)).isEqualTo(type == 2 ? WRONG : STALE);
        guest.set(PT, 2, 0x41000L | USED | GLOBAL);
        assertThat(guest.use(0, 0x2000, READ, 0x41000)).as("PCID 2 has the old table with type 1").isEqualTo(type == 1 ? STALE : WRONG);
        guest.tlb.invalidatedPcid(0, type, 2, 0);
        guest.set(PT, 2, 0x42000L | USED | GLOBAL);
        assertThat(guest.use(0, 0x2000, READ, 0x42000)).isEqualTo(WRONG);
    }

    @Test
    @DisplayName("INVPCID has four types")
    void types() {
        assertThatIllegalArgumentException().isThrownBy(() -> guest.tlb.invalidatedPcid(0, 4, 0, 0)).withMessageContaining("type 4");
    }
}
