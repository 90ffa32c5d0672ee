package org.penumbra.kit.shadow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.penumbra.testkit.fixture.GuestTables.A;
import static org.penumbra.testkit.fixture.GuestTables.D;
import static org.penumbra.testkit.fixture.GuestTables.NX;
import static org.penumbra.testkit.fixture.GuestTables.P;
import static org.penumbra.testkit.fixture.GuestTables.U;
import static org.penumbra.testkit.fixture.GuestTables.W;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.mmu.MmuContext;
import org.penumbra.api.mmu.LoadableRoots;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.mmu.UnsupportedPagingException;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PageFaultError;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.kit.GuestFormat;
import org.penumbra.shadow.ShadowSettings;
import org.penumbra.testkit.fixture.FixtureHost;
import org.penumbra.testkit.fixture.GuestTables;

/** Shadow paging against hand-built guest tables. */
class ShadowMmuTest extends ShadowFixture {
    @Test
    @DisplayName("S01 a fault fills the path to one page, and the hardware finds the frame that the guest's tables name")
    void demandFill() {
        start();
        tables.map(GVA, 100, 1, P | W | U);
        assertThat(spte(GVA)).isZero();
        assertThat(access(GVA + 0x123, USER_READ)).isEqualTo(Resolution.RETRY);
        assertThat(Spte.pfn(spte(GVA))).isEqualTo(100 + FixtureHost.OFFSET);
        assertThat(spte(GVA + 0x1000)).isZero();
        assertThat(host.guest64(tables.entryGpa(GVA, 1)) & A).isEqualTo(A);
    }

    @Test
    @DisplayName("S01 two address spaces that share a leaf table share its shadow page")
    void sharedTable() {
        start();
        tables.map(GVA, 100, 1, P | W | U);
        access(GVA, USER_READ);
        long created = host.count("mmu_cache_miss");
        GuestTables other = new GuestTables(host, 64);
        other.map(GVA, 0, 1, 0);
        host.guest64(other.entryGpa(GVA, 2), host.guest64(tables.entryGpa(GVA, 2)));
        context.load(PagingState.longMode(other.cr3()), false);
        access(GVA, USER_READ);
        // Root, level 3 and level 2 are new; the leaf table is found by (gfn, role).
        assertThat(host.count("mmu_cache_miss")).isEqualTo(created + 3);
        assertThat(Spte.pfn(spte(GVA))).isEqualTo(100 + FixtureHost.OFFSET);
    }

    @Test
    @DisplayName("S01 a fault of the guest's own is injected with the guest's error code, and nothing is built")
    void guestFault() {
        start();
        tables.map(GVA, 100, 1, P | U);
        MmuFault fault = new MmuFault();
        fault.gva = GVA;
        fault.access = USER_WRITE;
        assertThat(context.resolve(fault)).isEqualTo(Resolution.INJECT);
        assertThat(fault.errorCode).isEqualTo(PageFaultError.PRESENT | PageFaultError.WRITE | PageFaultError.USER);
        fault.gva = GVA + 0x1000;
        assertThat(context.resolve(fault)).isEqualTo(Resolution.INJECT);
        assertThat(fault.errorCode).isEqualTo(PageFaultError.WRITE | PageFaultError.USER);
        assertThat(spte(GVA)).isZero();
    }

    @Test
    @DisplayName("S01 an address that no slot holds is a device access")
    void noSlot() {
        start();
        tables.map(GVA, 0xfee00, 1, P | W | U);
        assertThat(access(GVA, USER_READ)).isEqualTo(Resolution.MMIO);
    }

    @Test
    @DisplayName("S02 a switch back to one of the last three address spaces finds its root; the fifth back does not")
    void previousRoots() {
        start();
        PagingState[] states = new PagingState[5];
        for (int i = 0; i < 5; i++) {
            states[i] = PagingState.longMode(new GuestTables(host, 200 + 16 * i).cr3());
            context.load(states[i], false);
            context.root();
        }
        long misses = host.count("previous_root_miss");
        TranslationRoot last = context.root();
        context.load(states[1], false);
        context.load(states[4], false);
        assertThat(context.root()).isSameAs(last);
        assertThat(host.count("previous_root_miss")).isEqualTo(misses);
        context.load(states[0], false);
        assertThat(host.count("previous_root_miss")).isEqualTo(misses + 1);
    }

    @Test
    @DisplayName("S06 protecting a frame takes the write right from every spte that maps it")
    void reverseMap() {
        start();
        tables.map(GVA, 100, 1, P | W | U);
        tables.map(GVA + 0x20_0000, 100, 1, P | W | U);
        access(GVA, USER_WRITE);
        access(GVA + 0x20_0000, USER_WRITE);
        assertThat(Spte.writable(spte(GVA)) && Spte.writable(spte(GVA + 0x20_0000))).isTrue();
        host.takeFlushes();
        mmu.writeProtect(100, host.clock());
        assertThat(Spte.writable(spte(GVA)) || Spte.writable(spte(GVA + 0x20_0000))).isFalse();
        assertThat(host.takeFlushes()).isPositive();
    }

    @Test
    @DisplayName("S07 a write to a table above the leaf level is emulated, and drops what was derived from the old entry")
    void upperTableWrite() {
        start();
        tables.map(GVA, 100, 1, P | W | U);
        access(GVA, USER_READ);
        long directory = tables.entryGpa(GVA, 2);
        long window = 0x7000_0000L;
        tables.map(window, directory >>> 12, 1, P | W | U);
        assertThat(access(window + (directory & 0xfff), USER_WRITE)).isEqualTo(Resolution.EMULATE);
        assertThat(Spte.writable(spte(window))).isFalse();
        host.takeFlushes();
        emulatedStore(directory, 0);
        assertThat(spte(GVA)).isZero();
        assertThat(host.takeFlushes()).isPositive();
        assertThat(access(GVA, USER_READ)).isEqualTo(Resolution.INJECT);
    }

    @Test
    @DisplayName("S07 a table that the guest could write before it became one is protected when it is shadowed")
    void protectedWhenShadowed() {
        start();
        long window = 0x7000_0000L;
        tables.map(GVA, 100, 1, P | W | U);
        long leafTable = tables.entryGpa(GVA, 1) >>> 12;
        tables.map(window, leafTable, 1, P | W | U);
        access(window, USER_WRITE);
        assertThat(Spte.writable(spte(window))).isTrue();
        host.takeFlushes();
        access(GVA, USER_READ);
        assertThat(Spte.writable(spte(window))).isFalse();
        assertThat(host.takeFlushes()).isPositive();
    }

    /** Shadows the leaf table of GVA and makes it unsync by a write through the window; answers the gpa of GVA's entry. */
    private long unsyncLeafTable() {
        tables.map(GVA, 100, 1, P | W | U);
        access(GVA, USER_WRITE);
        long entry = tables.entryGpa(GVA, 1);
        long window = 0x7000_0000L;
        tables.map(window, entry >>> 12, 1, P | W | U);
        assertThat(access(window, USER_WRITE)).isEqualTo(Resolution.RETRY);
        assertThat(Spte.writable(spte(window))).isTrue();
        return entry;
    }

    @Test
    @DisplayName("S08 a leaf table goes unsync on a write, and its sptes stay as they are until the guest flushes")
    void unsync() {
        start();
        long entry = unsyncLeafTable();
        host.guest64(entry, 101L << 12 | P | W | U | A | D);
        assertThat(Spte.pfn(spte(GVA))).isEqualTo(100 + FixtureHost.OFFSET);
        assertThat(host.count("mmu_unsync_page")).isEqualTo(1);
    }

    @Test
    @DisplayName("S08 INVLPG brings the spte of its page in step, and only that")
    void invlpg() {
        start();
        tables.map(GVA + 0x1000, 200, 1, P | W | U);
        access(GVA + 0x1000, USER_READ);
        long entry = unsyncLeafTable();
        host.guest64(entry, 0);
        host.guest64(entry + 8, 0);
        host.takeFlushes();
        context.invalidatePage(GVA);
        assertThat(spte(GVA)).isZero();
        assertThat(Spte.pfn(spte(GVA + 0x1000))).isEqualTo(200 + FixtureHost.OFFSET);
        assertThat(host.takeFlushes()).isPositive();
    }

    @Test
    @DisplayName("S08 a CR3 load brings every unsync page in step and protects it again")
    void cr3Load() {
        start();
        long entry = unsyncLeafTable();
        host.guest64(entry, 101L << 12 | P | U | A);
        context.load(PagingState.longMode(tables.cr3()), false);
        assertThat(spte(GVA)).isZero();
        assertThat(Spte.writable(spte(0x7000_0000L))).isFalse();
        access(GVA, USER_READ);
        assertThat(Spte.pfn(spte(GVA))).isEqualTo(101 + FixtureHost.OFFSET);
        assertThat(Spte.writable(spte(GVA))).isFalse();
    }

    @Test
    @DisplayName("S08 a page fault for the guest drops what is stale for its address, as it does from a TLB")
    void guestFaultDropsStale() {
        start();
        tables.map(GVA, 100, 1, P | U);
        access(GVA, USER_READ);
        long entry = tables.entryGpa(GVA, 1);
        tables.map(0x7000_0000L, entry >>> 12, 1, P | W | U);
        access(0x7000_0000L, USER_WRITE);
        host.guest64(entry, 101L << 12 | P | U | A);
        assertThat(access(GVA, USER_WRITE)).isEqualTo(Resolution.INJECT);
        assertThat(spte(GVA)).isZero();
    }

    @Test
    @DisplayName("S08 a flush of a PCID reaches the other roots of that PCID, and spares those of another")
    void pcidFlush() {
        start();
        PagingState pcid5 = PagingState.longMode(tables.cr3() | 5).withCr4(PagingState.longMode(0).cr4() | ControlBits.CR4_PCIDE);
        PagingState other5 = pcid5.withCr3(new GuestTables(host, 64).cr3() | 5);
        PagingState other6 = pcid5.withCr3(other5.cr3() + 1);
        context.load(pcid5, false);
        context.root();
        long entry = unsyncLeafTable();
        host.guest64(entry, 0);
        context.load(other6, false);
        context.root();
        context.load(pcid5, true);
        assertThat(spte(GVA)).as("flush of PCID 6").isNotZero();
        context.load(other5, false);
        context.root();
        context.load(pcid5, true);
        assertThat(spte(GVA)).as("flush of PCID 5").isZero();
    }

    @Test
    @DisplayName("S02 a cached root serves the PCID that it was made for, not the bits of CR3 that looked like it")
    void rootPcid() {
        start();
        PagingState without = PagingState.longMode(tables.cr3() | 0x18);
        context.load(without, false);
        assertThat(((TranslationRoot.OneDimensional) context.root()).cr3() & 0xfff).isZero();
        context.load(without.withCr4(without.cr4() | ControlBits.CR4_PCIDE), false);
        assertThat(((TranslationRoot.OneDimensional) context.root()).cr3() & 0xfff).isEqualTo(0x18);
    }

    @Test
    @DisplayName("S08 an unsync page that appears under a new parent is brought in step when it is linked")
    void unsyncLinked() {
        start();
        long entry = unsyncLeafTable();
        host.guest64(entry, 0);
        long alias = GVA + 0x4000_0000L;
        tables.map(alias, 0, 1, 0);
        host.guest64(tables.entryGpa(alias, 2), host.guest64(tables.entryGpa(GVA, 2)));
        tables.map(alias + 0x5000, 300, 1, P | W | U);
        access(alias + 0x5000, USER_READ);
        assertThat(spte(alias)).isZero();
    }

    @Test
    @DisplayName("S08 with unsync switched off every write to a leaf table is emulated")
    void unsyncOff() {
        host.with(ShadowSettings.UNSYNC, "off");
        start();
        tables.map(GVA, 100, 1, P | W | U);
        access(GVA, USER_WRITE);
        tables.map(0x7000_0000L, tables.entryGpa(GVA, 1) >>> 12, 1, P | W | U);
        assertThat(access(0x7000_0000L, USER_WRITE)).isEqualTo(Resolution.EMULATE);
    }

    @Test
    @DisplayName("S09 three emulated writes without a use zap an upper table, so that the frame becomes writable")
    void flooding() {
        start();
        tables.map(GVA, 100, 1, P | W | U);
        access(GVA, USER_READ);
        long directory = tables.entryGpa(GVA, 2) & -4096L;
        tables.map(0x7000_0000L, directory >>> 12, 1, P | W | U);
        for (int i = 0; i < 3; i++) {
            assertThat(access(0x7000_0000L, USER_WRITE)).isEqualTo(Resolution.EMULATE);
            emulatedStore(directory + 8 * (i + 8), i);
        }
        assertThat(host.count("mmu_flooded")).isEqualTo(1);
        assertThat(access(0x7000_0000L, USER_WRITE)).isEqualTo(Resolution.RETRY);
        assertThat(Spte.writable(spte(0x7000_0000L))).isTrue();
    }

    @Test
    @DisplayName("S09 a misaligned write zaps the table at once; a byte at an entry's start does not")
    void misaligned() {
        start();
        tables.map(GVA, 100, 1, P | W | U);
        access(GVA, USER_READ);
        long directory = tables.entryGpa(GVA, 2) & -4096L;
        mmu.guestTableWritten(directory, 1, host.clock());
        assertThat(host.count("mmu_flooded")).isZero();
        mmu.guestTableWritten(directory + 3, 2, host.clock());
        assertThat(host.count("mmu_flooded")).isEqualTo(1);
    }

    @Test
    @DisplayName("S10 a 2 MiB guest page is mapped by 2 MiB where the host has them, and split while it holds a table")
    void largePage() {
        host = new FixtureHost(factory, 2);
        start();
        long large = 0x8000_0000L;
        tables.map(large, 1024, 2, P | W | U);
        access(large + 0x5000, USER_WRITE);
        assertThat(spte(large) & Spte.LARGE).isEqualTo(Spte.LARGE);
        assertThat(Spte.pfn(spte(large))).isEqualTo(1024 + FixtureHost.OFFSET);
        // A table moves into the range: the large spte loses its write right, the next write splits it.
        host.guest64(1030L << 12, 100L << 12 | P | W | U);
        host.guest64(tables.entryGpa(large, 3) + 8, 0);
        tables.map(GVA, 0, 1, 0);
        emulatedStore(tables.entryGpa(GVA, 2), 1030L << 12 | P | W | U);
        access(GVA, USER_READ);
        assertThat(Spte.writable(spte(large))).isFalse();
        assertThat(access(large + 0x7000, USER_WRITE)).isEqualTo(Resolution.RETRY);
        assertThat(spte(large + 0x7000) & Spte.LARGE).isZero();
        assertThat(Spte.pfn(spte(large + 0x7000))).isEqualTo(1031 + FixtureHost.OFFSET);
    }

    @Test
    @DisplayName("S12 the leaf grants what every level of the path grants, and W only once D is set")
    void effectiveAccess() {
        start();
        tables.map(GVA, 100, 1, P | W | U | NX);
        access(GVA, USER_READ);
        assertThat(Spte.writable(spte(GVA))).isFalse();
        assertThat(spte(GVA) & GuestFormat.NX).isEqualTo(GuestFormat.NX);
        access(GVA, USER_WRITE);
        assertThat(Spte.writable(spte(GVA))).isTrue();
        assertThat(host.guest64(tables.entryGpa(GVA, 1)) & D).isEqualTo(D);
        long other = GVA + 0x4000_0000L;
        tables.map(other, 101, 1, P | W | U);
        long directory = tables.entryGpa(other, 3);
        host.guest64(directory, host.guest64(directory) & ~W & ~U);
        assertThat(access(other, Access.READ)).isEqualTo(Resolution.RETRY);
        assertThat(spte(other) & (Spte.WRITABLE | GuestFormat.USER)).isZero();
        assertThat(access(other, USER_READ)).isEqualTo(Resolution.INJECT);
    }

    @Test
    @DisplayName("S23 a frame that others track is mapped read-only and its writes are emulated")
    void tracked() {
        start();
        tables.map(GVA, 100, 1, P | W | U);
        host.track(100, (gpa, bytes) -> {});
        assertThat(access(GVA, USER_READ)).isEqualTo(Resolution.RETRY);
        assertThat(access(GVA, USER_WRITE)).isEqualTo(Resolution.EMULATE);
        assertThat(Spte.writable(spte(GVA))).isFalse();
    }

    @Test
    @DisplayName("S17 a root that was zapped while in use is replaced before the next entry, and its table freed")
    void obsoleteRoot() {
        start();
        tables.map(GVA, 100, 1, P | W | U);
        access(GVA, USER_READ);
        TranslationRoot before = context.root();
        mmu.guestTableWritten(tables.cr3() + 2, 1, host.clock());
        assertThat(context.root()).isNotEqualTo(before);
        assertThat(access(GVA, USER_READ)).isEqualTo(Resolution.RETRY);
        assertThat(Spte.pfn(spte(GVA))).isEqualTo(100 + FixtureHost.OFFSET);
    }

    @Test
    @DisplayName("S19 the audit reports an spte that says more than its gpte, a wrong frame, and a broken reverse map")
    void audit() {
        start();
        tables.map(GVA, 100, 1, P | U);
        access(GVA, USER_READ);
        List<String> violations = new ArrayList<>();
        host.guest64(tables.entryGpa(GVA, 1), 101L << 12 | P | U);
        mmu.audit(host.clock(), violations::add);
        assertThat(violations).singleElement().asString().contains("says more than gpte");
        host.guest64(tables.entryGpa(GVA, 1), 100L << 12 | P | U | A);
        long sptep = mmu.tree.rmap.of(100, 1, host.clock()).get(0);
        violations.clear();
        host.memory().store64(sptep, host.memory().load64(sptep) + 0x1000);
        mmu.audit(host.clock(), violations::add);
        assertThat(violations).singleElement().asString().contains("a host frame that gfn 0x64 does not have");
        host.memory().store64(sptep, host.memory().load64(sptep) - 0x1000);
        violations.clear();
        mmu.tree.rmap.remove(100, 1, sptep, host.clock());
        mmu.audit(host.clock(), violations::add);
        assertThat(violations).hasSize(2).anyMatch(v -> v.contains("not in its reverse map"));
        mmu.tree.rmap.add(100, 1, sptep, host.clock());
    }

    @Test
    @DisplayName("T06 a guest that has protection keys on, as it may under another design, is refused by name")
    void unsupported() {
        start();
        assertThatThrownBy(() -> context.load(state.withCr4(state.cr4() | ControlBits.CR4_PKE), false))
                .isInstanceOf(UnsupportedPagingException.class)
                .hasMessageContaining("CR4.PKE");
        assertThat(factory.objection(state)).isEmpty();
        context.load(state, false);
    }

    private List<Long> loadable() {
        return ((LoadableRoots) context).loadableRoots().stream().map(LoadableRoots.Loadable::guestCr3).toList();
    }

    @Test
    @DisplayName("S21 the guest may load roots by itself that a CR3 load would find in step, while the setting is on")
    void loadableRoots() {
        start();
        assertThat(loadable()).as("off by default").isEmpty();
        host.with(ShadowSettings.CR3_TARGETS, "on");
        start();
        MmuContext second = mmu.newContext(host);
        PagingState other = PagingState.longMode(new GuestTables(host, 64).cr3());
        context.load(other, false);
        context.root();
        assertThat(loadable()).containsExactly(other.cr3(), tables.cr3());
        LoadableRoots.Loadable first = ((LoadableRoots) context).loadableRoots().get(0);
        assertThat(((TranslationRoot.OneDimensional) context.root()).cr3()).as("the root that an entry would use").isEqualTo(first.root());
        load(tables.state());
        host.takeFlushes();
        unsyncLeafTable();
        assertThat(loadable()).as("a load has something to bring in step").containsExactly(other.cr3());
        assertThat(host.takeFlushes()).as("others who may load the root by themselves are brought out").isPositive();
        context.load(tables.state(), false);
        assertThat(loadable()).containsExactly(tables.cr3(), other.cr3());
        context.load(other.withCr4(other.cr4() | ControlBits.CR4_PCIDE), false);
        context.root();
        assertThat(loadable()).as("with PCIDs the mark would be part of one").isEmpty();
        assertThat(second).isNotNull();
    }
}
