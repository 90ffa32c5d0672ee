package org.penumbra.kit.shadow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.penumbra.testkit.fixture.GuestTables.A;
import static org.penumbra.testkit.fixture.GuestTables.D;
import static org.penumbra.testkit.fixture.GuestTables.NX;
import static org.penumbra.testkit.fixture.GuestTables.P;
import static org.penumbra.testkit.fixture.GuestTables.U;
import static org.penumbra.testkit.fixture.GuestTables.W;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PageFaultError;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.Pdptes;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.kit.GuestFormat;
import org.penumbra.testkit.fixture.FixtureHost;
import org.penumbra.testkit.fixture.GuestTables;

/** Guests in every paging mode: what the hardware finds, in PAE tables for all that are not in IA-32e mode. */
class ShadowModesTest extends ShadowFixture {
    /** In the second half of a 4 MiB range, and in the last GiB of 32 bits. */
    private static final long LOW = 0xc060_5000L;
    private static final long WINDOW = 0x7000_0000L;

    @ParameterizedTest(name = "{0}")
    @DisplayName("T01 T02 T03 T04 T05 a fault fills the path to one page in each mode, and the hardware finds the guest's frame and rights")
    @EnumSource
    void demandFill(PagingMode mode) {
        start(mode);
        if (mode != PagingMode.NONE) {
            tables.map(LOW, 100, 1, P | W | U);
            tables.map(LOW + 0x1000, 101, 1, P | U);
            load(tables.state());
        }
        long gva = mode == PagingMode.NONE ? 0x64_000 : LOW;
        assertThat(spte(gva)).isZero();
        assertThat(access(gva + 0x123, USER_WRITE)).isEqualTo(Resolution.RETRY);
        assertThat(Spte.pfn(spte(gva))).isEqualTo(100 + FixtureHost.OFFSET);
        assertThat(Spte.writable(spte(gva))).isTrue();
        if (mode != PagingMode.NONE) {
            assertThat(spte(gva + 0x1000)).isZero();
            assertThat(tables.entry(tables.entryGpa(gva, 1)) & (A | D)).isEqualTo(A | D);
            assertThat(refused(gva + 0x1000, USER_WRITE)).isEqualTo(PageFaultError.PRESENT | PageFaultError.WRITE | PageFaultError.USER);
        }
    }

    @Test
    @DisplayName("S05 without paging 2 MiB at a time are mapped where the host has them, and a table among them is protected")
    void unpaged() {
        host = new FixtureHost(factory, 2);
        start(PagingMode.BITS_32);
        tables.map(LOW, 100, 1, P | W | U);
        access(LOW, USER_READ);
        long directory = tables.cr3();
        load(new PagingState(ControlBits.CR0_PE, 0, 0, 0, 0, 0));
        assertThat(access(0x20_5000, USER_WRITE)).isEqualTo(Resolution.RETRY);
        assertThat(spte(0x20_5000) & (Spte.LARGE | Spte.WRITABLE | GuestFormat.USER)).isEqualTo(Spte.LARGE | Spte.WRITABLE | GuestFormat.USER);
        assertThat(Spte.pfn(spte(0x20_5000))).isEqualTo(0x200 + FixtureHost.OFFSET);
        assertThat(access(directory, Access.WRITE)).as("a shadowed directory").isEqualTo(Resolution.EMULATE);
        assertThat(Spte.writable(spte(directory))).isFalse();
        assertThat(access(0xfee0_0000L, Access.WRITE)).isEqualTo(Resolution.MMIO);
    }

    @Test
    @DisplayName("S04 a 32-bit directory has four shadow pages, and a leaf table one for each half that is used")
    void quadrants() {
        start(PagingMode.BITS_32);
        assertThat(host.count("mmu_cache_miss")).isEqualTo(4);
        tables.map(LOW, 100, 1, P | W | U);
        tables.map(LOW - 0x20_0000, 101, 1, P | W | U);
        access(LOW, USER_READ);
        assertThat(host.count("mmu_cache_miss")).isEqualTo(5);
        access(LOW - 0x20_0000, USER_READ);
        assertThat(host.count("mmu_cache_miss")).isEqualTo(6);
        assertThat(Spte.pfn(spte(LOW))).isEqualTo(100 + FixtureHost.OFFSET);
        assertThat(Spte.pfn(spte(LOW - 0x20_0000))).isEqualTo(101 + FixtureHost.OFFSET);
    }

    @Test
    @DisplayName("S04 a write of a 32-bit PDE drops both sptes that were made from it, and no other")
    void directoryWritten() {
        start(PagingMode.BITS_32);
        tables.map(LOW, 100, 1, P | W | U);
        tables.map(LOW - 0x20_0000, 101, 1, P | W | U);
        tables.map(LOW + 0x40_0000, 102, 1, P | W | U);
        access(LOW, USER_READ);
        access(LOW - 0x20_0000, USER_READ);
        access(LOW + 0x40_0000, USER_READ);
        host.takeFlushes();
        emulatedStore(tables.entryGpa(LOW, 2), 0);
        assertThat(spte(LOW)).isZero();
        assertThat(spte(LOW - 0x20_0000)).isZero();
        assertThat(Spte.pfn(spte(LOW + 0x40_0000))).isEqualTo(102 + FixtureHost.OFFSET);
        assertThat(host.takeFlushes()).isPositive();
        assertThat(host.count("mmu_flooded")).isZero();
    }

    @Test
    @DisplayName("S09 a write of 8 bytes hits two 32-bit entries: nothing that was made from either stays")
    void wideWrite() {
        start(PagingMode.BITS_32);
        long even = 0xc000_0000L;
        tables.map(even, 100, 1, P | W | U);
        tables.map(even + 0x40_0000, 101, 1, P | W | U);
        access(even, USER_READ);
        access(even + 0x40_0000, USER_READ);
        long at = tables.entryGpa(even, 2);
        host.guest64(at, 0);
        mmu.guestTableWritten(at, 8, host.clock());
        assertThat(spte(even)).isZero();
        assertThat(spte(even + 0x40_0000)).isZero();
        assertThat(refused(even + 0x40_0000, USER_READ)).isEqualTo(PageFaultError.USER);
    }

    @Test
    @DisplayName("S09 in a 32-bit table three emulated writes flood, a byte at an entry's start does not, two bytes do at once")
    void flooding() {
        start(PagingMode.BITS_32);
        tables.map(LOW, 100, 1, P | W | U);
        access(LOW, USER_READ);
        mmu.guestTableWritten(tables.cr3() + 4, 1, host.clock());
        assertThat(host.count("mmu_flooded")).isZero();
        mmu.guestTableWritten(tables.cr3() + 8, 2, host.clock());
        assertThat(host.count("mmu_flooded")).as("all quadrants").isEqualTo(4);
        access(LOW, USER_READ);
        for (int i = 0; i < 3; i++) {
            emulatedStore(tables.cr3() + 4 * i, 0);
        }
        assertThat(host.count("mmu_flooded")).isEqualTo(8);
    }

    @Test
    @DisplayName("S08 each half of a 32-bit leaf table goes unsync and comes back in step by its own entries")
    void unsync() {
        start(PagingMode.BITS_32);
        tables.map(LOW, 100, 1, P | W | U);
        tables.map(LOW - 0x20_0000, 101, 1, P | W | U);
        access(LOW, USER_READ);
        access(LOW - 0x20_0000, USER_READ);
        long entry = tables.entryGpa(LOW, 1);
        tables.map(WINDOW, entry >>> 12, 1, P | W | U);
        assertThat(access(WINDOW, USER_WRITE)).isEqualTo(Resolution.RETRY);
        assertThat(host.count("mmu_unsync_page")).isEqualTo(2);
        tables.entry(entry, 102L << 12 | P | U | A);
        context.invalidatePage(LOW);
        assertThat(spte(LOW)).isZero();
        assertThat(Spte.pfn(spte(LOW - 0x20_0000))).isEqualTo(101 + FixtureHost.OFFSET);
        access(LOW, USER_READ);
        assertThat(Spte.pfn(spte(LOW))).isEqualTo(102 + FixtureHost.OFFSET);
        tables.entry(tables.entryGpa(LOW - 0x20_0000, 1), 0);
        load(state);
        assertThat(spte(LOW - 0x20_0000)).isZero();
        assertThat(Spte.writable(spte(WINDOW))).isFalse();
    }

    @Test
    @DisplayName("S10 a 4 MiB guest page is two of 2 MiB, and a write of its entry drops both")
    void fourMib() {
        host = new FixtureHost(factory, 2);
        start(PagingMode.BITS_32);
        tables.map(0xc040_0000L, 1024, 2, P | W | U);
        access(0xc040_5000L, USER_WRITE);
        access(0xc060_5000L, USER_WRITE);
        assertThat(spte(0xc040_0000L) & Spte.LARGE).isNotZero();
        assertThat(Spte.pfn(spte(0xc040_0000L))).isEqualTo(1024 + FixtureHost.OFFSET);
        assertThat(Spte.pfn(spte(0xc060_0000L))).isEqualTo(1536 + FixtureHost.OFFSET);
        emulatedStore(tables.entryGpa(0xc040_0000L, 2), 0);
        assertThat(spte(0xc040_0000L)).isZero();
        assertThat(spte(0xc060_0000L)).isZero();
    }

    @Test
    @DisplayName("S10 where the host has no large pages a 4 MiB guest page is split, each half by itself")
    void fourMibSplit() {
        start(PagingMode.BITS_32);
        tables.map(0xc040_0000L, 1024, 2, P | W | U);
        access(0xc060_5000L, USER_WRITE);
        assertThat(Spte.pfn(spte(0xc060_5000L))).isEqualTo(1541 + FixtureHost.OFFSET);
        assertThat(spte(0xc060_5000L) & Spte.LARGE).isZero();
        assertThat(spte(0xc040_5000L)).isZero();
    }

    @Test
    @DisplayName("T03 a PAE guest's roots follow its PDPTE registers, not memory, and an absent one is absent in the real table")
    void pdptes() {
        start(PagingMode.PAE);
        tables.map(LOW, 100, 1, P | W | U);
        load(tables.state());
        access(LOW, USER_READ);
        long cr3 = ((TranslationRoot.OneDimensional) context.root()).cr3();
        assertThat(host.memory().load64(cr3)).isZero();
        assertThat(host.memory().load64(cr3 + 24)).isNotZero();
        host.guest64(tables.cr3() + 24, 0);
        assertThat(spte(LOW)).as("memory changed, the register did not").isNotZero();
        Pdptes old = state.pdptes();
        load(state.withPdptes(tables.pdptes()));
        assertThat(refused(LOW, USER_READ)).isEqualTo(PageFaultError.USER);
        assertThat(host.memory().load64(((TranslationRoot.OneDimensional) context.root()).cr3() + 24)).isZero();
        load(state.withPdptes(old));
        assertThat(Spte.pfn(spte(LOW))).as("the previous root").isEqualTo(100 + FixtureHost.OFFSET);
    }

    @Test
    @DisplayName("S17 a page directory that is zapped while it is part of a root has the root built anew, and no frame is lost")
    void obsoleteRoot() {
        start(PagingMode.BITS_32);
        tables.map(LOW, 100, 1, P | W | U);
        access(LOW, USER_READ);
        TranslationRoot before = context.root();
        long frames = host.frames();
        mmu.guestTableWritten(tables.cr3() + 2, 1, host.clock());
        assertThat(context.root()).isNotEqualTo(before);
        access(LOW, USER_READ);
        assertThat(Spte.pfn(spte(LOW))).isEqualTo(100 + FixtureHost.OFFSET);
        assertThat(host.frames()).isEqualTo(frames);
    }

    @Test
    @DisplayName("S03 a table has a shadow page for each format it is read in: 4-byte entries, and with and without 4 MiB pages")
    void format() {
        start(PagingMode.BITS_32);
        // PDE 0 of the directory has PS set: 4 MiB with CR4.PSE, a leaf table without.
        tables.entry(tables.cr3(), 1024L << 12 | P | W | U | GuestTables.PS);
        host.guest64(1024L << 12, 100L << 12 | P | W | U);
        access(0, USER_READ);
        assertThat(Spte.pfn(spte(0))).isEqualTo(1024 + FixtureHost.OFFSET);
        load(state.withCr4(0));
        assertThat(spte(0)).isZero();
        access(0, USER_READ);
        assertThat(Spte.pfn(spte(0))).isEqualTo(100 + FixtureHost.OFFSET);
        // The same frame as the page directory of a PAE guest.
        PagingState pae = new GuestTables(host, 64, PagingMode.PAE).state().withPdptes(new Pdptes(tables.cr3() | P, 0, 0, 0));
        load(pae);
        assertThat(spte(0)).isZero();
        access(0, USER_READ);
        assertThat(Spte.pfn(spte(0))).as("2 MiB from gfn 1024").isEqualTo(1024 + FixtureHost.OFFSET);
        load(tables.state());
        assertThat(Spte.pfn(spte(0))).as("the first root again").isEqualTo(1024 + FixtureHost.OFFSET);
    }

    @Test
    @DisplayName("S03 efer_nx: what NXE = 1 maps execute-disable is a reserved bit with NXE = 0, and no spte of the one serves the other")
    void eferNx() {
        start();
        tables.map(GVA, 100, 1, P | W | U | NX);
        access(GVA, USER_READ);
        assertThat(spte(GVA) & GuestFormat.NX).isNotZero();
        load(state.withEfer(state.efer() & ~ControlBits.EFER_NXE));
        assertThat(spte(GVA)).isZero();
        assertThat(refused(GVA, USER_READ)).isEqualTo(PageFaultError.PRESENT | PageFaultError.USER | PageFaultError.RESERVED);
    }

    @Test
    @DisplayName("S02 each change of the mode has a root of its own, flushes, and comes back to the root it had")
    void modeSwitches() {
        start(PagingMode.FIVE_LEVEL);
        PagingState[] states = {
            state, PagingState.longMode(tables.cr3()), new GuestTables(host, 64, PagingMode.PAE).state(),
            new GuestTables(host, 80, PagingMode.BITS_32).state(),
        };
        TranslationRoot[] roots = new TranslationRoot[states.length];
        for (int i = 0; i < states.length; i++) {
            host.takeFlushes();
            // Even when the guest did not ask for one, as with WRMSR of EFER.
            context.load(states[i], true);
            roots[i] = context.root();
            assertThat(host.takeFlushes()).as("%s", states[i].mode()).isEqualTo(i == 0 ? 0 : 1);
        }
        assertThat(roots).doesNotHaveDuplicates();
        for (int i = 0; i < states.length; i++) {
            context.load(states[i], false);
            assertThat(context.root()).isSameAs(roots[i]);
        }
        state = states[states.length - 1];
    }

    @Test
    @DisplayName("I04 INVPCID brings the roots of its PCID in step: one address, one context, all")
    void invpcid() {
        for (int type = 0; type <= 3; type++) {
            host = new FixtureHost(factory, 1);
            start();
            tables.map(GVA, 100, 1, P | W | U);
            tables.map(GVA + 0x1000, 101, 1, P | W | U);
            load(state.withCr4(state.cr4() | ControlBits.CR4_PCIDE).withCr3(tables.cr3() | 5));
            access(GVA, USER_READ);
            access(GVA + 0x1000, USER_READ);
            long entry = tables.entryGpa(GVA, 1);
            tables.map(WINDOW, entry >>> 12, 1, P | W | U);
            assertThat(access(WINDOW, USER_WRITE)).isEqualTo(Resolution.RETRY);
            host.guest64(entry, 0);
            host.guest64(entry + 8, 0);
            host.takeFlushes();
            context.invalidatePcid(1, 6, 0);
            assertThat(spte(GVA)).as("another PCID").isNotZero();
            context.invalidatePcid(type, 5, GVA);
            assertThat(spte(GVA)).as("type %d", type).isZero();
            assertThat(spte(GVA + 0x1000) == 0).as("type %d, another page", type).isEqualTo(type > 0);
            assertThat(host.takeFlushes()).isGreaterThan(1);
        }
    }
}
