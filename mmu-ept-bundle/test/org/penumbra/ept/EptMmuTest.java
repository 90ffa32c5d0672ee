package org.penumbra.ept;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.penumbra.api.memory.WriteTracking;
import org.penumbra.api.mmu.ControlDemand;
import org.penumbra.api.mmu.DirtyLogging;
import org.penumbra.api.mmu.Mmu;
import org.penumbra.api.mmu.MmuContext;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.EptViolation;
import org.penumbra.api.paging.PageFaultError;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.testkit.fixture.FixtureHost;
import org.penumbra.testkit.fixture.GuestTables;

/** EPT filled from violations; what the hardware would find is read from the real entries. */
class EptMmuTest {
    private final EptMmuFactory factory = new EptMmuFactory();
    private FixtureHost host = new FixtureHost(factory, 1);
    private Mmu mmu;
    private MmuContext context;

    private void start() {
        mmu = factory.create(host);
        context = mmu.newContext(host);
        context.load(PagingState.longMode(0x1000), false);
        context.root();
    }

    @AfterEach
    void invariantsHold() {
        assertThat(violations()).isEmpty();
    }

    private List<String> violations() {
        List<String> violations = new ArrayList<>();
        mmu.audit(host.clock(), violations::add);
        return violations;
    }

    private Resolution violate(long gpa, long qualification) {
        MmuFault fault = new MmuFault();
        fault.gpa = gpa;
        fault.qualification = qualification;
        return context.resolve(fault);
    }

    private long eptp() {
        return ((TranslationRoot.TwoDimensional) context.root()).eptp();
    }

    /** The leaf for {@code gpa}, 0 if there is none. */
    private long leaf(long gpa) {
        long table = eptp();
        for (int level = (int) (eptp() >>> 3 & 7) + 1; ; level--) {
            long entry = host.memory().load64((table & EptEntry.ADDRESS) + 8L * EptEntry.index(gpa >>> 12, level));
            if (!EptEntry.present(entry) || EptEntry.leaf(entry, level)) {
                return entry;
            }
            table = entry;
        }
    }

    @Test
    @DisplayName("E01 a violation maps the frame that the host has for the gfn, write-back, and nothing else")
    void demandFill() {
        start();
        assertThat(leaf(0x5000)).isZero();
        assertThat(violate(0x5123, EptViolation.READ)).isEqualTo(Resolution.RETRY);
        assertThat(leaf(0x5000)).isEqualTo(5 + FixtureHost.OFFSET << 12 | EptEntry.RWX | EptEntry.WRITE_BACK);
        assertThat(leaf(0x6000)).isZero();
        assertThat(host.count("pages_4k")).isEqualTo(1);
    }

    @Test
    @DisplayName("S23 a tracked frame has no larger page made over it afterwards")
    void trackedBefore() {
        host = new FixtureHost(factory, 2);
        start();
        host.track(605, (gpa, bytes) -> {});
        violate(600L << 12, EptViolation.WRITE);
        assertThat(leaf(600L << 12) & EptEntry.LARGE).isZero();
        violate(605L << 12, EptViolation.READ);
        assertThat(EptEntry.writable(leaf(605L << 12))).isFalse();
    }

    @Test
    @DisplayName("H03 a host event between looking the frame up and mapping it turns the violation back")
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
    @DisplayName("H03 a host event empties the leaf, a large one whole, and flushes; what its flags knew is in the dirty log")
    void hostEvent() {
        host = new FixtureHost(factory, 2);
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
        assertThat(EptEntry.writable(leaf(0x5000))).isFalse();
        violate(0x5000, EptViolation.WRITE);
        assertThat(EptEntry.writable(leaf(0x5000))).isTrue();
    }

    @Test
    @DisplayName("E06 by D flags: harvesting finds them, and takes them away so that the next write sets one again; a large leaf is split")
    void dirtyByFlags() {
        host = new FixtureHost(factory, 2);
        start();
        violate(0x20_5000, EptViolation.WRITE);
        DirtyLogging log = (DirtyLogging) mmu;
        host.logging(true);
        log.startDirtyLog(host.clock());
        assertThat(leaf(0x20_5000) & EptEntry.LARGE).isZero();
        log.collectDirty(host.clock());
        assertThat(host.takeDirty()).as("what was written before").isEmpty();
        setDirty(0x20_5000);
        log.collectDirty(host.clock());
        assertThat(host.takeDirty()).containsExactly(0x205L);
        log.collectDirty(host.clock());
        assertThat(host.takeDirty()).isEmpty();
    }

    @Test
    @DisplayName("E06 by write protection: the first write to a frame is a violation that marks it, and again after the harvest")
    void dirtyByProtection() {
        host = new FixtureHost(factory, 1).with(EptSettings.ACCESSED_DIRTY, "off");
        start();
        violate(0x5000, EptViolation.WRITE);
        DirtyLogging log = (DirtyLogging) mmu;
        host.logging(true);
        log.startDirtyLog(host.clock());
        assertThat(EptEntry.writable(leaf(0x5000))).isFalse();
        violate(0x6000, EptViolation.READ);
        assertThat(EptEntry.writable(leaf(0x6000))).isFalse();
        violate(0x5000, EptViolation.WRITE);
        assertThat(EptEntry.writable(leaf(0x5000))).isTrue();
        assertThat(host.takeDirty()).containsExactly(5L);
        log.rearmDirty(5, host.clock());
        assertThat(EptEntry.writable(leaf(0x5000))).isFalse();
    }

    /** As the processor does with a write. */
    private void setDirty(long gpa) {
        long at = leafAt(gpa);
        host.memory().store64(at, host.memory().load64(at) | EptEntry.DIRTY);
    }

    /** Address of the 4 KiB entry for {@code gpa}, in a table that exists. */
    private long leafAt(long gpa) {
        long table = eptp();
        for (int level = 4; level > 1; level--) {
            table = host.memory().load64((table & EptEntry.ADDRESS) + 8L * EptEntry.index(gpa >>> 12, level));
        }
        return (table & EptEntry.ADDRESS) + 8L * EptEntry.index(gpa >>> 12, 1);
    }

    @Test
    @DisplayName("E01 an address that no slot holds is a device access")
    void noSlot() {
        start();
        assertThat(violate(0xfee0_0000L, EptViolation.READ)).isEqualTo(Resolution.MMIO);
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
        host = new FixtureHost(factory, 2);
        start();
        violate(0x20_5000, EptViolation.READ);
        assertThat(leaf(0x20_0000)).isEqualTo(512 + FixtureHost.OFFSET << 12 | EptEntry.RWX | EptEntry.WRITE_BACK | EptEntry.LARGE);
        host = new FixtureHost(factory, 2).with(EptSettings.LARGE_PAGES, "off");
        start();
        violate(0x20_5000, EptViolation.READ);
        assertThat(leaf(0x20_5000) & EptEntry.LARGE).isZero();
        assertThat(leaf(0x20_0000)).isZero();
    }

    @Test
    @DisplayName("E05 accessed and dirty flags are asked for in bit 6 of the EPTP, unless switched off")
    void accessedDirty() {
        start();
        // SDM vol. 3, "Extended-Page-Table Pointer": memory type 6, page-walk length 4 − 1 in bits 5:3.
        assertThat(eptp() & 0xfff).isEqualTo(6 | 3 << 3 | 1 << 6);
        host = new FixtureHost(factory, 1).with(EptSettings.ACCESSED_DIRTY, "off");
        start();
        assertThat(eptp() & 0xfff).isEqualTo(6 | 3 << 3);
    }

    @Test
    @DisplayName("S23 tracking a frame inside a 2 MiB leaf splits it, keeps its neighbours writable, and sends writes to the emulator")
    void tracked() {
        host = new FixtureHost(factory, 2);
        start();
        violate(0x20_0000, EptViolation.WRITE);
        host.takeFlushes();
        WriteTracking.Request request = host.track(0x205, (gpa, bytes) -> {});
        mmu.writeProtect(0x205, host.clock());
        assertThat(host.takeFlushes()).isPositive();
        assertThat(EptEntry.writable(leaf(0x20_5000))).isFalse();
        assertThat(leaf(0x20_6000)).isEqualTo(0x206 + FixtureHost.OFFSET << 12 | EptEntry.RWX | EptEntry.WRITE_BACK);
        assertThat(violate(0x20_5000, EptViolation.WRITE)).isEqualTo(Resolution.EMULATE);
        assertThat(violate(0x20_5000, EptViolation.READ)).isEqualTo(Resolution.RETRY);
        assertThat(host.count("pf_emulate")).isEqualTo(1);
        request.close();
        assertThat(violate(0x20_5000, EptViolation.WRITE)).isEqualTo(Resolution.RETRY);
        assertThat(EptEntry.writable(leaf(0x20_5000))).isTrue();
    }

    @Test
    @DisplayName("E03 what was split for a tracked frame is one large leaf again with the next violation after the request is closed")
    void largeAgainAfterTracking() {
        host = new FixtureHost(factory, 2);
        start();
        violate(0x20_0000, EptViolation.WRITE);
        long frames = host.frames();
        WriteTracking.Request request = host.track(0x205, (gpa, bytes) -> {});
        mmu.writeProtect(0x205, host.clock());
        assertThat(host.count("pages_4k")).isEqualTo(512);
        request.close();
        host.takeFlushes();
        violate(0x20_5000, EptViolation.WRITE);
        assertThat(leaf(0x20_0000)).isEqualTo(512 + FixtureHost.OFFSET << 12 | EptEntry.RWX | EptEntry.WRITE_BACK | EptEntry.LARGE);
        assertThat(host.takeFlushes()).as("a processor may hold the table in a paging-structure cache").isPositive();
        assertThat(host.frames()).as("the table was given back").isEqualTo(frames);
        assertThat(host.count("pages_4k")).isZero();
        assertThat(host.count("pages_2m")).isEqualTo(1);
    }

    @Test
    @DisplayName("E03 large pages that the dirty log split come back when it ends, but not over a tracked frame")
    void largeAgainAfterLogging() {
        host = new FixtureHost(factory, 2);
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
        assertThat(leaf(0x20_6000) & EptEntry.LARGE).isZero();
        assertThat(leaf(0x40_6000) & EptEntry.LARGE).isNotZero();
        assertThat(host.frames()).isEqualTo(frames + 1);
    }

    @Test
    @DisplayName("E04 a violation that meets an entry of a table which is going away changes nothing and is repeated")
    void frozen() {
        start();
        violate(0x5000, EptViolation.READ);
        host.memory().store64(leafAt(0x6000), EptEntry.FROZEN);
        assertThat(violate(0x6000, EptViolation.WRITE)).isEqualTo(Resolution.RETRY);
        assertThat(leaf(0x6000)).isEqualTo(EptEntry.FROZEN);
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
    @DisplayName("E01 with five levels the EPTP says so, and protecting and zapping find their entries")
    void fiveLevels() {
        host = new FixtureHost(factory, 2).with(EptSettings.LEVELS, "5");
        start();
        assertThat(eptp() >>> 3 & 7).isEqualTo(4);
        violate(0x20_5000, EptViolation.WRITE);
        assertThat(leaf(0x20_5000) & EptEntry.LARGE).isNotZero();
        mmu.writeProtect(0x205, host.clock());
        assertThat(EptEntry.writable(leaf(0x20_5000))).isFalse();
        assertThat(EptEntry.writable(leaf(0x20_6000))).isTrue();
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
