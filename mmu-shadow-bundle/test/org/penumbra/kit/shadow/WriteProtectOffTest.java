package org.penumbra.kit.shadow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.penumbra.testkit.fixture.GuestTables.A;
import static org.penumbra.testkit.fixture.GuestTables.D;
import static org.penumbra.testkit.fixture.GuestTables.P;
import static org.penumbra.testkit.fixture.GuestTables.U;
import static org.penumbra.testkit.fixture.GuestTables.W;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PageFaultError;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.kit.GuestFormat;
import org.penumbra.testkit.fixture.FixtureHost;

/**
 * Guests with CR0.WP = 0 on a processor whose CR0.WP is really 1 (Documentation/virt/kvm/x86/mmu.rst, "Emulating cr0.wp"). The page
 * is read-only for users by the guest's tables.
 */
class WriteProtectOffTest extends ShadowFixture {
    private static final long LOW = 0x40_5000L;
    private static final int USER_FETCH = Access.FETCH | Access.USER;

    private void writeProtectOff(PagingMode mode, long cr4) {
        start(mode);
        tables.map(LOW, 100, 1, P | U);
        load(tables.state());
        load(state.withCr0(state.cr0() & ~ControlBits.CR0_WP).withCr4(state.cr4() | cr4));
    }

    private String rights() {
        long spte = spte(LOW);
        return SpteFormat.LEGACY.present(spte)
                ? (Spte.writable(spte) ? "W" : "") + ((spte & GuestFormat.USER) != 0 ? "U" : "") + ((spte & GuestFormat.NX) == 0 ? "X" : "") : "-";
    }

    @ParameterizedTest(name = "{0}")
    @DisplayName("S11 a supervisor write makes a supervisor page that is writable, a read a user page that is not, and each turns the other")
    @EnumSource(mode = Mode.EXCLUDE, names = "NONE")
    void bothSptes(PagingMode mode) {
        writeProtectOff(mode, 0);
        assertThat(access(LOW, Access.WRITE)).isEqualTo(Resolution.RETRY);
        assertThat(rights()).isEqualTo("WX");
        assertThat(tables.entry(tables.entryGpa(LOW, 1)) & (A | D)).isEqualTo(A | D);
        host.takeFlushes();
        assertThat(access(LOW, USER_READ)).isEqualTo(Resolution.RETRY);
        assertThat(rights()).isEqualTo("UX");
        assertThat(host.takeFlushes()).as("the write right went").isPositive();
        assertThat(access(LOW, Access.WRITE)).isEqualTo(Resolution.RETRY);
        assertThat(rights()).isEqualTo("WX");
        assertThat(host.takeFlushes()).as("users were let in before").isPositive();
        assertThat(refused(LOW, USER_WRITE)).isEqualTo(PageFaultError.PRESENT | PageFaultError.WRITE | PageFaultError.USER);
    }

    @Test
    @DisplayName("S11 a read-only supervisor page becomes writable by a write and stays executable, SMEP or not")
    void supervisorPage() {
        writeProtectOff(PagingMode.FOUR_LEVEL, ControlBits.CR4_SMEP | ControlBits.CR4_SMAP);
        tables.map(LOW, 100, 1, P);
        access(LOW, Access.READ);
        assertThat(rights()).isEqualTo("X");
        access(LOW, Access.WRITE);
        assertThat(rights()).isEqualTo("WX");
    }

    @Test
    @DisplayName("S11 under SMEP the supervisor page that was a user page is execute-disable, until a user fetch turns it back")
    void smep() {
        writeProtectOff(PagingMode.FOUR_LEVEL, ControlBits.CR4_SMEP);
        access(LOW, Access.WRITE);
        assertThat(rights()).isEqualTo("W");
        assertThat(refused(LOW, Access.FETCH)).isEqualTo(PageFaultError.PRESENT | PageFaultError.FETCH);
        assertThat(access(LOW, USER_FETCH)).isEqualTo(Resolution.RETRY);
        assertThat(rights()).isEqualTo("UX");
    }

    @Test
    @DisplayName("S11 SMEP works without execute-disable in the guest, in 32-bit paging too: the processor's own EFER.NXE is 1")
    void smepWithoutNxe() {
        writeProtectOff(PagingMode.BITS_32, ControlBits.CR4_SMEP);
        access(LOW, Access.WRITE);
        assertThat(rights()).isEqualTo("W");
        assertThat(mmu.controlDemand().forcedEfer()).isEqualTo(ControlBits.EFER_NXE);
    }

    @Test
    @DisplayName("S11 under SMAP a write with EFLAGS.AC is emulated each time: as a supervisor page it would be open without AC")
    void smap() {
        writeProtectOff(PagingMode.FOUR_LEVEL, ControlBits.CR4_SMAP);
        assertThat(access(LOW, Access.WRITE | Access.AC)).isEqualTo(Resolution.EMULATE);
        assertThat(rights()).isEqualTo("-");
        assertThat(refused(LOW, Access.WRITE)).isEqualTo(PageFaultError.PRESENT | PageFaultError.WRITE);
        assertThat(access(LOW, USER_READ)).isEqualTo(Resolution.RETRY);
        assertThat(access(LOW, Access.WRITE | Access.AC)).isEqualTo(Resolution.EMULATE);
        assertThat(rights()).isEqualTo("UX");
    }

    @Test
    @DisplayName("S11 a page that its table grants to users is one, though a level above does not: no SMAP, no SMEP")
    void supervisorByPath() {
        writeProtectOff(PagingMode.FOUR_LEVEL, ControlBits.CR4_SMAP | ControlBits.CR4_SMEP);
        long directory = tables.entryGpa(LOW, 2);
        host.guest64(directory, host.guest64(directory) & ~U);
        assertThat(access(LOW, Access.WRITE)).isEqualTo(Resolution.RETRY);
        assertThat(rights()).isEqualTo("WX");
    }

    @Test
    @DisplayName("S03 cr0_wp: what was made for CR0.WP = 0 is not found with CR0.WP = 1")
    void wpRole() {
        writeProtectOff(PagingMode.FOUR_LEVEL, 0);
        access(LOW, Access.WRITE);
        load(state.withCr0(state.cr0() | ControlBits.CR0_WP));
        assertThat(rights()).isEqualTo("-");
        assertThat(refused(LOW, Access.WRITE)).isEqualTo(PageFaultError.PRESENT | PageFaultError.WRITE);
    }

    @Test
    @DisplayName("S03 smep_andnot_wp and smap_andnot_wp: a supervisor page made without them is not found with them")
    void smepAndSmapRoles() {
        for (long bit : new long[] {ControlBits.CR4_SMEP, ControlBits.CR4_SMAP}) {
            host = new FixtureHost(factory, 1);
            writeProtectOff(PagingMode.FOUR_LEVEL, 0);
            access(LOW, Access.WRITE);
            assertThat(rights()).isEqualTo("WX");
            load(state.withCr4(state.cr4() | bit));
            assertThat(rights()).isEqualTo("-");
        }
    }

    @Test
    @DisplayName("S11 a large page is split under a right of its own for each kind of spte")
    void largePage() {
        start();
        tables.map(LOW & -1L << 21, 1024, 2, P | U);
        load(state.withCr0(state.cr0() & ~ControlBits.CR0_WP));
        access(LOW, Access.WRITE);
        assertThat(rights()).isEqualTo("WX");
        access(LOW, USER_READ);
        assertThat(rights()).isEqualTo("UX");
        access(LOW, Access.WRITE);
        assertThat(rights()).isEqualTo("WX");
        assertThat(Spte.pfn(spte(LOW))).isEqualTo(1024 + 5 + FixtureHost.OFFSET);
    }

    @Test
    @DisplayName("S08 a supervisor page that was a user page is one again when its table is brought in step")
    void unsync() {
        writeProtectOff(PagingMode.FOUR_LEVEL, 0);
        access(LOW, Access.WRITE);
        long entry = tables.entryGpa(LOW, 1);
        tables.map(0x7000_0000L, entry >>> 12, 1, P | W | U);
        assertThat(access(0x7000_0000L, USER_WRITE)).isEqualTo(Resolution.RETRY);
        load(state);
        assertThat(rights()).isEqualTo("UX");
    }
}
