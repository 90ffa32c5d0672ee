package org.penumbra.ept;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.penumbra.api.clock.Work;
import org.penumbra.api.memory.WriteTracking;
import org.penumbra.api.mmu.ControlDemand;
import org.penumbra.api.mmu.DirtyLogging;
import org.penumbra.api.mmu.MmuContext;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.mmu.PageAgeing;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.EptViolation;
import org.penumbra.api.paging.NestedPageFault;
import org.penumbra.api.paging.PageFaultError;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.PagingState;
import org.penumbra.testkit.fixture.FixtureHost;
import org.penumbra.testkit.fixture.GuestTables;

/** The second dimension filled from faults, in whatever format(). */
abstract class TdpMmuContract extends TdpFixture {
    private final long pageBits;

    /** @param pageBits bits 11:0 of a 4 KiB leaf that may be written */
    TdpMmuContract(long pageBits) {
        this.pageBits = pageBits;
    }

    /** As the processor does with a write. */
    private void setDirty(long gpa) {
        long at = leafAt(gpa);
        host.memory().store64(at, host.memory().load64(at) | format().dirty);
    }

    @Test
    @DisplayName("E01 a violation maps the frame that the host has for the gfn, write-back, and nothing else")
    void demandFill() {
        start();
        assertThat(leaf(0x5000)).isZero();
        assertThat(violate(0x5123, EptViolation.READ)).isEqualTo(Resolution.RETRY);
        assertThat(leaf(0x5000)).isEqualTo(5 + FixtureHost.OFFSET << 12 | pageBits);
        assertThat(leaf(0x6000)).isZero();
        assertThat(host.count("pages_4k")).isEqualTo(1);
    }

    @Test
    @DisplayName("E01 E03 X08 trace points tell of the leaf that is wanted, of the one that is put in and of its split; counters of what is mapped")
    void observed() {
        host = host(2);
        start();
        List<String> told = host.traced();
        violate(0x20_5000, EptViolation.WRITE);
        assertThat(told).hasSize(2);
        assertThat(told.get(0)).isEqualTo(String.format("kvm_mmu_spte_requested 205 %x 2", 0x205 + FixtureHost.OFFSET));
        long sptep = Long.parseLong(told.get(1).split(" ")[3], 16);
        assertThat(told.get(1)).isEqualTo(String.format("kvm_mmu_set_spte 205 %x %x 2", leaf(0x20_5000), sptep));
        assertThat(host.memory().load64(sptep)).isEqualTo(leaf(0x20_5000));
        assertThat(host.count("pages_2m")).isEqualTo(1);
        told.clear();
        long large = leaf(0x20_5000);
        mmu.writeProtect(0x205, host.clock());
        assertThat(told).containsExactly(String.format("kvm_mmu_split_huge_page 200 %x 2", large));
        assertThat(host.count("pages_2m")).isZero();
        assertThat(host.count("pages_4k")).isEqualTo(512);
        mmu.close();
        assertThat(host.count("pages_4k")).as("closed, it maps nothing").isZero();
    }

    @Test
    @DisplayName("S23 a tracked frame has no larger page made over it afterwards")
    void trackedBefore() {
        host = host(2);
        start();
        host.track(605, (gpa, bytes) -> {});
        violate(600L << 12, EptViolation.WRITE);
        assertThat(leaf(600L << 12) & TdpFormat.LARGE).isZero();
        violate(605L << 12, EptViolation.READ);
        assertThat(TdpFormat.writable(leaf(605L << 12))).isFalse();
    }

    @Test
    @DisplayName("E09 H03 a host event between looking the frame up and mapping it turns the violation back")
    void raced() {
        start();
        host.afterLookup(() -> {
            host.hostEvent();
            mmu.hostRangeChanged(5, 1, host.clock());
        });
        assertThat(violate(0x5000, EptViolation.READ)).isEqualTo(Resolution.RETRY);
        assertThat(leaf(0x5000)).as("nothing stale was mapped").isZero();
        violate(0x5000, EptViolation.READ);
        assertThat(leaf(0x5000)).isNotZero();
    }

    @Test
    @DisplayName("E09 H03 a host event empties the leaf, a large one whole, and flushes; what its flags knew is in the dirty log")
    void hostEvent() {
        host = host(2);
        start();
        violate(0x20_5000, EptViolation.READ);
        host.takeFlushes();
        mmu.hostRangeChanged(0x207, 1, host.clock());
        assertThat(leaf(0x20_0000)).isZero();
        assertThat(host.takeFlushes()).isPositive();
        mmu.hostRangeChanged(0x207, 1, host.clock());
        assertThat(host.takeFlushes()).as("nothing was mapped").isZero();
        host.logging(true);
        ((DirtyLogging) mmu).startDirtyLog(host.clock());
        violate(0x20_5000, EptViolation.WRITE);
        setDirty(0x20_5000);
        mmu.hostRangeChanged(0x205, 1, host.clock());
        assertThat(host.takeDirty()).containsExactly(0x205L);
    }

    @Test
    @DisplayName("H03 a frame that the host shares is mapped read-only until a write has given the guest its own")
    void shared() {
        start();
        host.share(5);
        violate(0x5000, EptViolation.READ);
        assertThat(TdpFormat.writable(leaf(0x5000))).isFalse();
        violate(0x5000, EptViolation.WRITE);
        assertThat(TdpFormat.writable(leaf(0x5000))).isTrue();
    }

    @Test
    @DisplayName("E06 by D flags: harvesting finds them, and takes them away so that the next write sets one again; a large leaf is split")
    void dirtyByFlags() {
        host = host(2);
        start();
        violate(0x20_5000, EptViolation.WRITE);
        DirtyLogging log = (DirtyLogging) mmu;
        host.logging(true);
        log.startDirtyLog(host.clock());
        assertThat(leaf(0x20_5000) & TdpFormat.LARGE).isZero();
        log.collectDirty(host.clock());
        assertThat(host.takeDirty()).as("what was written before").isEmpty();
        setDirty(0x20_5000);
        log.collectDirty(host.clock());
        assertThat(host.takeDirty()).containsExactly(0x205L);
        log.collectDirty(host.clock());
        assertThat(host.takeDirty()).isEmpty();
    }

    @Test
    @DisplayName("E01 an address that no slot holds is a device access")
    void noSlot() {
        start();
        assertThat(violate(0xfee0_0000L, EptViolation.READ)).isEqualTo(Resolution.MMIO);
    }

    private boolean executable(long gpa) {
        return format() == TdpFormat.EPT ? (leaf(gpa) & 4) != 0 : leaf(gpa) >= 0;
    }

    /** Bit of the fault that says "instruction fetch", which is another in the two formats. */
    private long fetch() {
        return format() == TdpFormat.EPT ? EptViolation.FETCH : NestedPageFault.FETCH;
    }

    @Test
    @DisplayName("E03 with NX huge pages a large leaf may not be executed: a fetch splits it into pieces that may, and it stays split")
    void nxHugePages() {
        host = host(2, TdpSettings.NX_HUGE_PAGES, "on");
        start();
        violate(0x20_5000, EptViolation.WRITE);
        assertThat(leaf(0x20_5000) & TdpFormat.LARGE).isNotZero();
        assertThat(executable(0x20_5000)).isFalse();
        assertThat(violate(0x20_5000, fetch())).isEqualTo(Resolution.RETRY);
        assertThat(leaf(0x20_5000)).isEqualTo(0x205 + FixtureHost.OFFSET << 12 | pageBits);
        assertThat(executable(0x20_6000)).isTrue();
        assertThat(host.count("nx_lpage_splits")).isEqualTo(1);
        violate(0x20_7000, EptViolation.WRITE);
        assertThat(leaf(0x20_7000) & TdpFormat.LARGE).isZero();
        violate(0x40_5000, fetch());
        assertThat(leaf(0x40_5000) & TdpFormat.LARGE).as("a fetch first").isZero();
        assertThat(host.count("nx_lpage_splits")).isEqualTo(2);
    }

    @Test
    @DisplayName("E03 what a fetch has split may be large again after the recovery period, the oldest first")
    void nxRecovery() {
        host = host(2, TdpSettings.NX_HUGE_PAGES, "on").with(TdpSettings.key(format(), TdpSettings.NX_RECOVERY), "1000");
        start();
        violate(0x20_5000, fetch());
        violate(0x40_5000, fetch());
        host.clock().charge(Work.EXIT, 1_000_000);
        host.takeFlushes();
        violate(0x60_5000, EptViolation.WRITE);
        assertThat(host.count("nx_lpage_splits")).isEqualTo(1);
        assertThat(host.takeFlushes()).isPositive();
        assertThat(leaf(0x40_5000) & TdpFormat.LARGE).isZero();
        violate(0x20_5000, EptViolation.READ);
        assertThat(leaf(0x20_5000) & TdpFormat.LARGE).isNotZero();
        assertThat(executable(0x20_5000)).isFalse();
    }

    @Test
    @DisplayName("E02 where there is no slot an entry is left that the processor refuses; the next access is a device's without a look at the slots")
    void device() {
        start();
        violate(0xfee0_0000L, EptViolation.WRITE);
        long entry = leaf(0xfee0_0000L);
        // SDM vol. 3, "EPT Misconfigurations": bits 2:0 = 110. APM vol. 2, "Nested Page Tables": present, with an address bit that is reserved.
        assertThat(format() == TdpFormat.EPT ? entry & 7 : entry & (1 | 1L << 51)).isEqualTo(format() == TdpFormat.EPT ? 6 : 1 | 1L << 51);
        assertThat(host.count("pf_mmio_spte_created")).isEqualTo(1);
        MmuFault fault = new MmuFault();
        fault.gpa = 0xfee0_0123L;
        assertThat(context.misconfigured(fault)).isEqualTo(Resolution.MMIO);
        assertThat(host.count("handle_mmio_page_fault")).isEqualTo(1);
        assertThat(host.count("pf_taken")).as("no fault like others").isEqualTo(1);
    }

    @Test
    @DisplayName("E02 an entry of another generation of the slots is void: memory that has come there is mapped")
    void deviceOfBefore() {
        start();
        host.slot(0x100, 2);
        violate(0x20_0000, EptViolation.READ);
        host.slot(0x400, 4);
        MmuFault fault = new MmuFault();
        fault.gpa = 0x20_0000;
        assertThat(context.misconfigured(fault)).isEqualTo(Resolution.RETRY);
        assertThat(leaf(0x20_0000)).isEqualTo(0x200 + FixtureHost.OFFSET << 12 | pageBits);
        assertThat(host.count("handle_mmio_page_fault")).isZero();
    }

    @Test
    @DisplayName("E02 E09 an entry for a device is no page: neither young, nor zapped, nor counted")
    void deviceIsNoPage() {
        start();
        violate(0xfee0_0000L, EptViolation.WRITE);
        assertThat(((PageAgeing) mmu).testAge(0xfee00, 1, host.clock())).isFalse();
        assertThat(((PageAgeing) mmu).age(0xfee00, 1, host.clock())).isFalse();
        assertThat(host.count("pages_4k")).isZero();
    }

    @Test
    @DisplayName("E01 a violation that another vCPU has served already is spurious")
    void spurious() {
        start();
        violate(0x5000, EptViolation.WRITE);
        assertThat(violate(0x5000, EptViolation.WRITE)).isEqualTo(Resolution.RETRY);
        assertThat(host.count("pf_spurious")).isEqualTo(1);
        assertThat(host.count("pf_fixed")).isEqualTo(1);
    }

    @Test
    @DisplayName("E03 a 2 MiB leaf where the host has a 2 MiB page; 4 KiB when the setting is off")
    void largePages() {
        host = host(2);
        start();
        violate(0x20_5000, EptViolation.READ);
        assertThat(leaf(0x20_0000)).isEqualTo(512 + FixtureHost.OFFSET << 12 | pageBits | TdpFormat.LARGE);
        host = host(2, TdpSettings.LARGE_PAGES, "off");
        start();
        violate(0x20_5000, EptViolation.READ);
        assertThat(leaf(0x20_5000) & TdpFormat.LARGE).isZero();
        assertThat(leaf(0x20_0000)).isZero();
    }

    @Test
    @DisplayName("S23 tracking a frame inside a 2 MiB leaf splits it, keeps its neighbours writable, and sends writes to the emulator")
    void tracked() {
        host = host(2);
        start();
        violate(0x20_0000, EptViolation.WRITE);
        host.takeFlushes();
        WriteTracking.Request request = host.track(0x205, (gpa, bytes) -> {});
        mmu.writeProtect(0x205, host.clock());
        assertThat(host.takeFlushes()).isPositive();
        assertThat(TdpFormat.writable(leaf(0x20_5000))).isFalse();
        assertThat(leaf(0x20_6000)).isEqualTo(0x206 + FixtureHost.OFFSET << 12 | pageBits);
        assertThat(violate(0x20_5000, EptViolation.WRITE)).isEqualTo(Resolution.EMULATE);
        assertThat(violate(0x20_5000, EptViolation.READ)).isEqualTo(Resolution.RETRY);
        assertThat(host.count("pf_emulate")).isEqualTo(1);
        request.close();
        assertThat(violate(0x20_5000, EptViolation.WRITE)).isEqualTo(Resolution.RETRY);
        assertThat(TdpFormat.writable(leaf(0x20_5000))).isTrue();
    }

    @Test
    @DisplayName("E03 what was split for a tracked frame is one large leaf again with the next violation after the request is closed")
    void largeAgainAfterTracking() {
        host = host(2);
        start();
        violate(0x20_0000, EptViolation.WRITE);
        long frames = host.frames();
        WriteTracking.Request request = host.track(0x205, (gpa, bytes) -> {});
        mmu.writeProtect(0x205, host.clock());
        assertThat(host.count("pages_4k")).isEqualTo(512);
        request.close();
        host.takeFlushes();
        violate(0x20_5000, EptViolation.WRITE);
        assertThat(leaf(0x20_0000)).isEqualTo(512 + FixtureHost.OFFSET << 12 | pageBits | TdpFormat.LARGE);
        assertThat(host.takeFlushes()).as("a processor may hold the table in a paging-structure cache").isPositive();
        assertThat(host.frames()).as("the table was given back").isEqualTo(frames);
        assertThat(host.count("pages_4k")).isZero();
        assertThat(host.count("pages_2m")).isEqualTo(1);
    }

    @Test
    @DisplayName("E03 large pages that the dirty log split come back when it ends, but not over a tracked frame")
    void largeAgainAfterLogging() {
        host = host(2);
        start();
        violate(0x20_0000, EptViolation.WRITE);
        violate(0x40_0000, EptViolation.WRITE);
        long frames = host.frames();
        DirtyLogging log = (DirtyLogging) mmu;
        host.logging(true);
        log.startDirtyLog(host.clock());
        host.track(0x205, (gpa, bytes) -> {});
        mmu.writeProtect(0x205, host.clock());
        host.logging(false);
        log.stopDirtyLog(host.clock());
        violate(0x20_6000, EptViolation.WRITE);
        violate(0x40_6000, EptViolation.WRITE);
        assertThat(leaf(0x20_6000) & TdpFormat.LARGE).isZero();
        assertThat(leaf(0x40_6000) & TdpFormat.LARGE).isNotZero();
        assertThat(host.frames()).isEqualTo(frames + 1);
    }

    @Test
    @DisplayName("E04 a violation that meets an entry of a table which is going away changes nothing and is repeated")
    void frozen() {
        start();
        violate(0x5000, EptViolation.READ);
        host.memory().store64(leafAt(0x6000), TdpFormat.FROZEN);
        assertThat(violate(0x6000, EptViolation.WRITE)).isEqualTo(Resolution.RETRY);
        assertThat(leaf(0x6000)).isEqualTo(TdpFormat.FROZEN);
        assertThat(host.count("pf_fixed")).isEqualTo(1);
    }

    @Test
    @DisplayName("E01 nothing of the guest's paging is intercepted")
    void demand() {
        start();
        assertThat(mmu.controlDemand()).isEqualTo(ControlDemand.NONE);
    }

    @Test
    @DisplayName("E01 the software walk for emulation answers the guest's gpa, or its fault")
    void gvaToGpa() {
        start();
        GuestTables tables = new GuestTables(host, 16);
        tables.map(0x40_0000, 100, 1, GuestTables.P | GuestTables.U);
        MmuFault fault = new MmuFault();
        PagingState state = PagingState.longMode(tables.cr3());
        assertThat(context.gvaToGpa(state, 0x40_0123, Access.READ | Access.USER, fault)).isEqualTo(100L << 12 | 0x123);
        assertThat(context.gvaToGpa(state, 0x40_0123, Access.WRITE | Access.USER, fault)).isEqualTo(MmuContext.FAULT);
        assertThat(fault.errorCode).isEqualTo(PageFaultError.PRESENT | PageFaultError.WRITE | PageFaultError.USER);
    }

    @ParameterizedTest(name = "{0}")
    @DisplayName("T01 T02 T03 T04 T05 the walk for the emulator is in the guest's mode as it is now, without a load in between")
    @EnumSource
    void softwareWalkModes(PagingMode mode) {
        start();
        GuestTables tables = new GuestTables(host, 64, mode);
        if (mode != PagingMode.NONE) {
            tables.map(0xc040_5000L, 100, 1, GuestTables.P | GuestTables.W);
        }
        MmuFault fault = new MmuFault();
        long gpa = context.gvaToGpa(tables.state(), 0xc040_5123L, Access.WRITE, fault);
        assertThat(gpa).isEqualTo(mode == PagingMode.NONE ? 0xc040_5123L : 0x6_4123);
        if (mode != PagingMode.NONE) {
            assertThat(context.gvaToGpa(tables.state(), 0xc040_4000L, Access.READ | Access.USER, fault)).isEqualTo(MmuContext.FAULT);
            assertThat(fault.errorCode).isEqualTo(PageFaultError.USER);
            assertThat(fault.gva).isEqualTo(0xc040_4000L);
        }
    }

    @Test
    @DisplayName("T06 the walk for the emulator honours PKRU as it is now")
    void softwareWalkKeys() {
        start();
        GuestTables tables = new GuestTables(host, 64);
        tables.map(0x40_0000, 100, 1, GuestTables.P | GuestTables.W | GuestTables.U | 3L << 59);
        PagingState state = tables.state().withCr4(ControlBits.CR4_PAE | ControlBits.CR4_PKE);
        MmuFault fault = new MmuFault();
        assertThat(context.gvaToGpa(state, 0x40_0000, Access.WRITE | Access.USER, fault)).isEqualTo(100L << 12);
        assertThat(context.gvaToGpa(state.withPkru(2 << 6), 0x40_0000, Access.WRITE | Access.USER, fault)).isEqualTo(MmuContext.FAULT);
        assertThat(fault.errorCode)
                .isEqualTo(PageFaultError.PRESENT | PageFaultError.WRITE | PageFaultError.USER | PageFaultError.KEY);
        assertThat(context.gvaToGpa(state.withPkru(2 << 6), 0x40_0000, Access.READ | Access.USER, fault)).isEqualTo(100L << 12);
    }

    @Test
    @DisplayName("E08 with five levels protecting and zapping find their entries")
    void fiveLevels() {
        host = host(2, TdpSettings.LEVELS, "5");
        start();
        assertThat(levels()).isEqualTo(5);
        violate(0x20_5000, EptViolation.WRITE);
        assertThat(leaf(0x20_5000) & TdpFormat.LARGE).isNotZero();
        mmu.writeProtect(0x205, host.clock());
        assertThat(TdpFormat.writable(leaf(0x20_5000))).isFalse();
        assertThat(TdpFormat.writable(leaf(0x20_6000))).isTrue();
        mmu.hostRangeChanged(0x205, 1, host.clock());
        assertThat(leaf(0x20_5000)).isZero();
    }

    @Test
    @DisplayName("E10 the audit reports a leaf that maps a frame the host does not have there")
    void audit() {
        start();
        violate(0x5000, EptViolation.WRITE);
        long at = leafAt(0x5000);
        long good = host.memory().load64(at);
        host.memory().store64(at, good + 0x1000);
        assertThat(violations()).singleElement().asString().contains("gfn 0x5");
        host.memory().store64(at, good);
    }
}
