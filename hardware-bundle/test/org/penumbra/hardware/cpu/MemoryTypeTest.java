package org.penumbra.hardware.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.penumbra.api.paging.MemoryType.UC;
import static org.penumbra.api.paging.MemoryType.WB;
import static org.penumbra.api.paging.MemoryType.WC;
import static org.penumbra.api.paging.MemoryType.WP;
import static org.penumbra.api.paging.MemoryType.WT;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.penumbra.api.cpu.Outcome;
import org.penumbra.api.cpu.WalkListener;
import org.penumbra.api.paging.EntryFormat;
import org.penumbra.api.paging.MemoryType;
import org.penumbra.api.paging.PagingState;

/**
 * Memory types as they are reported with a translation: SDM vol. 3, "Memory Type Range Registers (MTRRs)", "Page Attribute Table
 * (PAT)", "Memory Type Used for Translated Guest-Physical Addresses". MAXPHYADDR is 40.
 */
class MemoryTypeTest {
    private static final int PAT = 0x277;
    private static final int DEF_TYPE = 0x2ff;
    private static final int BASE0 = 0x200;
    private static final int MASK0 = 0x201;
    private static final long GVA = 0x40_0060_3000L;
    private static final long HPA = 0x8000_5000L;

    private Rig rig;
    private long root;
    private MemoryType told;

    @BeforeEach
    void machine() {
        rig = new Rig();
        root = rig.longMode();
        listen();
    }

    private void listen() {
        rig.cpu.listen(new WalkListener() {
            @Override
            public void served(Cache cache, long address, int level, long result) {}

            @Override
            public void referenced(EntryFormat format, boolean nested, int level, long at, long hpa, long entry, int dataCache) {}

            @Override
            public void translated(long gva, long hpa, int shift, MemoryType type) {
                told = type;
            }

            @Override
            public void updated(EntryFormat format, boolean nested, int level, long hpa, long entry) {}
        });
    }

    private void wrmsr(int msr, long value) {
        assertThat(rig.cpu.wrmsr(msr, value)).isEqualTo(Outcome.DONE);
    }

    private MemoryType typeOf(long gva) {
        told = null;
        rig.cpu.invlpg(gva);
        assertThat(rig.use(gva, Rig.SR)).isNotNegative();
        return told;
    }

    /** SDM vol. 3, table "Memory Type Setting of PAT Entries Following a Power-up or Reset": WB WT UC- UC, twice. */
    @ParameterizedTest(name = "T16 PAT {0}, PCD {1}, PWT {2} after power-up: {3} over WB")
    @CsvSource({"0,0,0,WB", "0,0,1,WT", "0,1,0,UC", "0,1,1,UC", "1,0,0,WB", "1,0,1,WT", "1,1,0,UC", "1,1,1,UC"})
    void powerUp(int pat, int pcd, int pwt, MemoryType type) {
        rig.map(root, GVA, HPA, Rig.P | pat << 7 | pcd << 4 | pwt << 3);
        assertThat(typeOf(GVA)).isEqualTo(type);
    }

    @ParameterizedTest(name = "T16 entry {0} of the PAT, selected by bits of a 4 KiB, 2 MiB and 1 GiB page")
    @CsvSource({"0", "1", "2", "3", "4", "5", "6", "7"})
    void selection(int entry) {
        wrmsr(PAT, 5L << 8 * entry);
        long low = (entry & 3L) << 3;
        rig.map(root, GVA, HPA, Rig.P | low | (entry & 4) << 5);
        rig.mapLarge(root, 0x80_0000_0000L, 0x8000_0000L, Rig.P | low | (entry & 4) << 10, 2);
        rig.mapLarge(root, 0x80_4000_0000L, 0x8000_0000L, Rig.P | low | (entry & 4) << 10, 3);
        assertThat(typeOf(GVA)).isEqualTo(WP);
        assertThat(typeOf(0x80_0000_0000L)).isEqualTo(WP);
        assertThat(typeOf(0x80_4000_0000L)).isEqualTo(WP);
        rig.map(root, GVA, HPA, Rig.P | low ^ 8 | (entry & 4) << 5);
        assertThat(typeOf(GVA)).isEqualTo(UC);
    }

    /**
     * SDM vol. 3, table "Effective Page-Level Memory Types for Pentium III and More Recent Processor Families". Columns: PAT type UC, UC-,
     * WC, WT, WB, WP.
     */
    @ParameterizedTest(name = "T16 MTRR {0} ({1}): UC {2}, UC- {3}, WC {4}, WT {5}, WB {6}, WP {7}")
    @CsvSource({
        "UC, 0, UC, UC, WC, UC, UC, UC",
        "WC, 1, UC, WC, WC, UC, WC, UC",
        "WT, 4, UC, UC, WC, WT, WT, WP",
        "WB, 6, UC, UC, WC, WT, WB, WP",
        "WP, 5, UC, WC, WC, WT, WP, WP",
    })
    void effective(MemoryType mtrr, int encoding, MemoryType uc, MemoryType ucMinus, MemoryType wc, MemoryType wt, MemoryType wb, MemoryType wp) {
        MemoryType[] expected = {uc, ucMinus, wc, wt, wb, wp};
        wrmsr(PAT, 0x0000_0506_0401_0700L);
        wrmsr(DEF_TYPE, 0x800 | encoding);
        for (int i = 0; i < expected.length; i++) {
            rig.map(root, GVA, HPA, Rig.P | (i & 3L) << 3 | (i & 4) << 5);
            assertThat(typeOf(GVA)).as("PAT entry %d", i).isEqualTo(expected[i]);
        }
    }

    /** The same table with the EPT memory type in place of the MTRRs. */
    @ParameterizedTest(name = "T16 EPT type {0} ({1}), PAT WT: {2}; with IPAT: {0}; the MTRRs have no part")
    @CsvSource({"UC, 0, UC", "WC, 1, UC", "WT, 4, WT", "WP, 5, WT", "WB, 6, WT"})
    void ept(MemoryType type, int encoding, MemoryType withPat) {
        wrmsr(DEF_TYPE, 0x801);
        long top = rig.ept(0);
        rig.eptIdentity(top, 4 << 20, 1);
        rig.map(root, GVA, 0x5000, Rig.P | 1 << 3);
        rig.map(root, GVA + 0x1000, 0x6000, Rig.P | 1 << 3);
        rig.eptMap(top, 0x5000, HPA, 7 | encoding << 3);
        rig.eptMap(top, 0x6000, HPA, 7 | encoding << 3 | 1 << 6);
        rig.enter();
        assertThat(typeOf(GVA)).isEqualTo(withPat);
        assertThat(typeOf(GVA + 0x1000)).isEqualTo(type);
    }

    @Test
    @DisplayName("T16 without paging: the MTRRs alone; under EPT the EPT type, as with PAT type WB")
    void unpaged() {
        rig.registers.paging = new PagingState(1, 0, 0, 0, 0, 0);
        wrmsr(PAT, 0);
        wrmsr(DEF_TYPE, 0x804);
        assertThat(rig.use(HPA, Rig.SR)).isEqualTo(HPA);
        assertThat(told).isEqualTo(WT);
        long top = rig.ept(0);
        rig.eptMap(top, 0x5000, HPA, 7 | 5 << 3);
        rig.vmcs.unrestrictedGuest = true;
        rig.enter();
        assertThat(rig.use(0x5000, Rig.SR)).isEqualTo(HPA);
        assertThat(told).isEqualTo(WP);
    }

    @Test
    @DisplayName("T16 while CR0.CD is 1 every translation is UC, with and without EPT, IPAT or not")
    void cacheDisable() {
        rig.map(root, GVA, HPA, Rig.P);
        rig.cr0(1L << 30, 0);
        assertThat(typeOf(GVA)).isEqualTo(UC);
        long top = rig.ept(0);
        rig.eptIdentity(top, 4 << 20, 1);
        rig.map(root, GVA, 0x5000, Rig.P);
        rig.eptMap(top, 0x5000, HPA, 7 | 6 << 3 | 1 << 6);
        rig.enter();
        assertThat(typeOf(GVA)).isEqualTo(UC);
        assertThat(rig.cpu.movToCr0(rig.registers.paging.cr0() & ~(1L << 30))).isZero();
        assertThat(typeOf(GVA)).isEqualTo(WB);
    }

    @Test
    @DisplayName("T16 the type is reported again when a cached translation is used, by the registers of now")
    void fromTheSecondLevel() {
        rig = new Rig(new TestProfile().array("tlb.data.small", 1, 1));
        root = rig.longMode();
        listen();
        rig.map(root, GVA, HPA, Rig.P);
        rig.map(root, GVA + 0x1000, HPA, Rig.P);
        rig.use(GVA, Rig.SR);
        rig.use(GVA + 0x1000, Rig.SR);
        wrmsr(PAT, 4);
        told = null;
        rig.use(GVA, Rig.SR);
        assertThat(rig.walks()).isEqualTo(2);
        assertThat(told).isEqualTo(WT);
    }

    @Test
    @DisplayName("T16 a variable range covers the addresses that agree with its base under its mask, if it is valid")
    void ranges() {
        rig.map(root, GVA, HPA, Rig.P);
        rig.map(root, GVA + 0x1000, 0x8001_0000L, Rig.P);
        wrmsr(BASE0, 0x8000_0000L | 4);
        wrmsr(MASK0, 0xff_ffff_0000L);
        assertThat(typeOf(GVA)).as("not valid").isEqualTo(WB);
        wrmsr(MASK0, 0xff_ffff_0000L | 1 << 11);
        assertThat(typeOf(GVA)).isEqualTo(WT);
        assertThat(typeOf(GVA + 0x1000)).as("64 KiB further").isEqualTo(WB);
        wrmsr(BASE0 + 14, 0x8001_0000L | 5);
        wrmsr(MASK0 + 14, 0xff_ffff_f000L | 1 << 11);
        assertThat(typeOf(GVA + 0x1000)).as("the last range").isEqualTo(WP);
        wrmsr(DEF_TYPE, 6);
        assertThat(typeOf(GVA)).as("MTRRs disabled: UC").isEqualTo(UC);
    }

    /** SDM vol. 3, "MTRR Precedences". */
    @ParameterizedTest(name = "T16 ranges of types {0} and {1} overlap: {2}")
    @CsvSource({"0, 6, UC", "6, 0, UC", "0, 1, UC", "4, 6, WT", "6, 4, WT", "6, 6, WB", "1, 1, WC"})
    void overlap(int first, int second, MemoryType type) {
        rig.map(root, GVA, HPA, Rig.P);
        wrmsr(BASE0, 0x8000_0000L | first);
        wrmsr(MASK0, 0xff_8000_0000L | 1 << 11);
        wrmsr(BASE0 + 2, HPA | second);
        wrmsr(MASK0 + 2, 0xff_ffff_f000L | 1 << 11);
        assertThat(typeOf(GVA)).isEqualTo(type);
        rig.map(root, GVA, HPA + 0x1000, Rig.P);
        if (first != 1) {
            assertThat(typeOf(GVA)).as("outside of the second").isEqualTo(MemoryType.of(first));
        } else {
            assertThat(typeOf(GVA)).isEqualTo(WC);
        }
    }

    @ParameterizedTest(name = "T16 WRMSR 0x{0} of 0x{1}: taken {2}")
    @CsvSource({
        "277, 0007040600070406, true", "277, 0001040506070000, true", "277, 2, false", "277, 3, false", "277, 0300000000000000, false",
        "277, 8, false", "277, 86, false", "2ff, 800, true", "2ff, 806, true", "2ff, 802, false", "2ff, 807, false", "2ff, c06, false",
        "2ff, 906, false", "2ff, 1006, false", "200, 80000006, true", "200, 80000002, false", "200, 80000007, false",
        "200, 80000106, false", "200, 80000806, false", "200, fffffff006, true", "200, 10000000006, false", "201, fffffff800, true",
        "201, 801, false", "201, c00, false", "201, 10000000800, false", "20e, 6, true", "20f, 800, true", "210, 6, false",
        "fe, 8, false", "250, 0, false", "6e1, ffffffff, true", "6e1, 100000000, false", "c0000080, d01, true", "c0000080, c01, false",
        "c0000080, 4d00, false", "17, 0, false",
    })
    void writes(String msr, String value, boolean taken) {
        int outcome = rig.cpu.wrmsr((int) Long.parseLong(msr, 16), Long.parseUnsignedLong(value, 16));
        assertThat(outcome).isEqualTo(taken ? Outcome.DONE : Outcome.FAULT);
        if (!taken) {
            assertThat(rig.cpu.exception().vector).isEqualTo(13);
            assertThat(rig.cpu.exception().errorCode).isZero();
        }
        rig.map(root, GVA, HPA, Rig.P);
        if (!taken) {
            assertThat(typeOf(GVA)).as("nothing changed").isEqualTo(WB);
        }
    }

    @Test
    @DisplayName("T16 WRMSR at CPL 3 is #GP(0), and in non-root operation an exit")
    void privilege() {
        rig.registers.cpl = 3;
        assertThat(rig.cpu.wrmsr(PAT, 0)).isEqualTo(Outcome.FAULT);
        rig.registers.cpl = 0;
        rig.enter();
        assertThat(rig.cpu.wrmsr(PAT, 0)).isEqualTo(Outcome.EXIT);
    }
}
