package org.penumbra.kit.shadow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.penumbra.testkit.fixture.GuestTables.A;
import static org.penumbra.testkit.fixture.GuestTables.D;
import static org.penumbra.testkit.fixture.GuestTables.P;
import static org.penumbra.testkit.fixture.GuestTables.U;
import static org.penumbra.testkit.fixture.GuestTables.W;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PageFaultError;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.testkit.fixture.FixtureHost;

/** Accesses to addresses of no slot: MMIO sptes and the vCPU's MMIO cache. */
class MmioSpteTest extends ShadowFixture {
    private static final long DEVICE = 0xfee00;
    private static final long RESERVED_BIT = 1L << 51;

    private MmuFault again(int access) {
        MmuFault fault = reservedFault(GVA + 8, access);
        context.root();
        assertThat(context.resolve(fault)).isEqualTo(Resolution.MMIO);
        assertThat(fault.gpa).isEqualTo(DEVICE << 12 | 8);
        return fault;
    }

    @Test
    @DisplayName("S13 the first access to a device leaves an spte with a reserved bit set, the rights, the gfn and the slots' generation")
    void encoding() {
        host.slot(4096, 0x1_0203);
        start();
        tables.map(GVA, DEVICE, 1, P | W | U | A | D);
        assertThat(access(GVA, USER_WRITE)).isEqualTo(Resolution.MMIO);
        // MAXPHYADDR is 46: the top 5 address bits are set, and those of the gfn, which are 0, stand above them.
        long expected = 1 | 1 << 1 | 1 << 2 | 0x03L << 3 | DEVICE << 12 | 31L << 41 | RESERVED_BIT | 0x102L << 52;
        assertThat(spte(GVA)).isEqualTo(expected);
        assertThat(host.count("pf_mmio_spte_created")).isEqualTo(1);
    }

    @ParameterizedTest(name = "{0}")
    @EnumSource(names = "NONE", mode = EnumSource.Mode.EXCLUDE)
    @DisplayName("S13 the next access faults with RSVD, which is answered without a walk of the guest's tables, in every paging mode")
    void noWalk(PagingMode mode) {
        long gva = 0x4040_0000L;
        start(mode);
        tables.map(gva, DEVICE, 1, P | W | U | A | D);
        load(tables.state());
        long start = host.clock().total();
        access(gva, USER_READ);
        long first = host.clock().total() - start;
        // The entry changes without an invalidation: what was cached of it may be used on.
        tables.entry(tables.entryGpa(gva, 1), 0);
        MmuFault fault = reservedFault(gva, USER_WRITE);
        start = host.clock().total();
        assertThat(context.resolve(fault)).isEqualTo(Resolution.MMIO);
        assertThat(fault.gpa).isEqualTo(DEVICE << 12);
        assertThat(host.clock().total() - start).isLessThan(first / 3);
        assertThat(host.count("handle_mmio_page_fault")).isEqualTo(1);
        context.invalidatePage(gva);
        tables.entry(tables.entryGpa(gva, 1), 100L << 12 | P | W | U);
        assertThat(access(gva, USER_READ)).isEqualTo(Resolution.RETRY);
        assertThat(Spte.pfn(spte(gva))).isEqualTo(100 + FixtureHost.OFFSET);
    }

    @Test
    @DisplayName("S13 an MMIO spte serves a vCPU whose own cache has another page")
    void withoutCache() {
        start();
        tables.map(GVA, DEVICE, 1, P | W | U | A | D);
        tables.map(GVA + 0x1000, DEVICE + 1, 1, P | W | U | A | D);
        access(GVA, USER_READ);
        access(GVA + 0x1000, USER_READ);
        again(USER_WRITE);
    }

    @Test
    @DisplayName("S13 a user's access to a supervisor's device page is the guest's fault, and the first write has to set D")
    void rights() {
        start();
        tables.map(GVA, DEVICE, 1, P | W | A);
        access(GVA, Access.READ);
        again(Access.READ);
        MmuFault fault = reservedFault(GVA, USER_READ);
        assertThat(context.resolve(fault)).isEqualTo(Resolution.INJECT);
        assertThat(fault.errorCode).isEqualTo(PageFaultError.PRESENT | PageFaultError.USER);
        assertThat(context.resolve(reservedFault(GVA, Access.WRITE))).isEqualTo(Resolution.MMIO);
        assertThat(tables.entry(tables.entryGpa(GVA, 1)) & D).isEqualTo(D);
        assertThat(host.count("handle_mmio_page_fault")).as("the read alone").isEqualTo(1);
    }

    @Test
    @DisplayName("S13 another generation of the slots makes the spte void: what is memory now is mapped")
    void generation() {
        host.slot(2000, 6);
        start();
        tables.map(GVA, 3000, 1, P | W | U | A | D);
        assertThat(access(GVA, USER_READ)).isEqualTo(Resolution.MMIO);
        host.slot(4096, 8);
        assertThat(context.resolve(reservedFault(GVA, USER_READ))).isEqualTo(Resolution.RETRY);
        assertThat(Spte.pfn(spte(GVA))).isEqualTo(3000 + FixtureHost.OFFSET);
    }

    @Test
    @DisplayName("S13 nothing is kept while the slots change")
    void updating() {
        host.slot(2000, 6 | GuestMemory.UPDATING);
        start();
        tables.map(GVA, 3000, 1, P | W | U | A | D);
        assertThat(access(GVA, USER_READ)).isEqualTo(Resolution.MMIO);
        assertThat(spte(GVA)).isZero();
        host.slot(4096, 6 | GuestMemory.UPDATING);
        assertThat(context.gvaToGpa(state, GVA + 8, USER_READ, new MmuFault())).isEqualTo(3000L << 12 | 8);
        assertThat(context.resolve(reservedFault(GVA, USER_READ))).isEqualTo(Resolution.RETRY);
    }

    @Test
    @DisplayName("S13 when the generation wraps around in an spte, MMIO sptes of long ago are not taken for new ones")
    void wrapAround() {
        host.slot(2000, 6);
        start();
        tables.map(GVA, 3000, 1, P | W | U | A | D);
        tables.map(GVA + 0x1000, DEVICE, 1, P | W | U | A | D);
        access(GVA, USER_READ);
        host.slot(4096, 6 + (1L << 19));
        assertThat(access(GVA + 0x1000, USER_READ)).isEqualTo(Resolution.MMIO);
        assertThat(context.resolve(reservedFault(GVA, USER_READ))).isEqualTo(Resolution.RETRY);
        access(GVA, USER_READ);
        assertThat(Spte.pfn(spte(GVA))).isEqualTo(3000 + FixtureHost.OFFSET);
    }

    @Test
    @DisplayName("S13 an emulated write to the gpte drops the spte, and so does bringing an unsync table in step")
    void dropped() {
        start();
        tables.map(GVA, DEVICE, 1, P | W | U | A | D);
        access(GVA, USER_READ);
        emulatedStore(tables.entryGpa(GVA, 1), 100L << 12 | P | W | U);
        assertThat(spte(GVA)).isZero();
        emulatedStore(tables.entryGpa(GVA, 1), DEVICE << 12 | P | W | U | A | D);
        access(GVA, USER_READ);
        tables.map(GVA + 0x1000, tables.entryGpa(GVA, 1) >>> 12, 1, P | W | U);
        assertThat(access(GVA + 0x1000, USER_WRITE)).as("the table goes unsync").isEqualTo(Resolution.RETRY);
        tables.entry(tables.entryGpa(GVA, 1), 100L << 12 | P | W | U);
        load(state);
        assertThat(spte(GVA)).isZero();
    }

    @Test
    @DisplayName("S13 the emulation that follows finds the address in the vCPU's cache, as far as the rights go, until INVLPG")
    void cacheForEmulation() {
        start();
        tables.map(GVA, DEVICE, 1, P | W | U | A | D);
        access(GVA, USER_READ);
        tables.entry(tables.entryGpa(GVA, 1), 100L << 12 | P | W | A | D);
        MmuFault fault = new MmuFault();
        assertThat(context.gvaToGpa(state, GVA + 0x18, USER_WRITE, fault)).isEqualTo(DEVICE << 12 | 0x18);
        context.invalidatePage(GVA);
        assertThat(context.gvaToGpa(state, GVA + 0x18, Access.WRITE, fault)).isEqualTo(100L << 12 | 0x18);
    }

    @Test
    @DisplayName("S13 a processor of 52 address bits has no reserved bit for it: each access is walked")
    void noReservedBit() {
        host = new FixtureHost(factory, 1).withPhysicalAddressBits(52);
        start();
        tables.map(GVA, DEVICE, 1, P | W | U | A | D);
        assertThat(access(GVA, USER_READ)).isEqualTo(Resolution.MMIO);
        assertThat(spte(GVA)).isZero();
        assertThat(access(GVA, USER_READ)).isEqualTo(Resolution.MMIO);
    }

    @Test
    @DisplayName("S13 device addresses inside a large guest page have sptes of their own below direct pages")
    void largeGuestPage() {
        start();
        tables.map(GVA, 0xfee00, 2, P | W | U | A | D);
        assertThat(access(GVA + 0x3000, USER_READ)).isEqualTo(Resolution.MMIO);
        MmuFault fault = reservedFault(GVA + 0x3008, USER_WRITE);
        assertThat(context.resolve(fault)).isEqualTo(Resolution.MMIO);
        assertThat(fault.gpa).isEqualTo(0xfee0_3008L);
        assertThat(host.count("handle_mmio_page_fault")).isEqualTo(1);
    }

    @Test
    @DisplayName("S24 S19 the audit reports an MMIO spte whose address is one of memory, and an spte that is neither mapping nor nothing")
    void unmasked() {
        start();
        tables.map(GVA, DEVICE, 1, P | W | U | A | D);
        access(GVA, USER_READ);
        long sptep = mmu.tree.pages.all().stream().filter(p -> p.level() == 1).findFirst().orElseThrow().sptep(Spte.index(GVA, 1));
        long good = host.memory().load64(sptep);
        for (long bad : new long[] {good & ~(1L << 45), 0x5000, good & ~1L}) {
            host.memory().store64(sptep, bad);
            List<String> violations = new ArrayList<>();
            mmu.audit(host.clock(), violations::add);
            assertThat(violations).as("0x%x", bad).hasSize(1);
        }
        host.memory().store64(sptep, good);
    }
}
