package org.penumbra.hardware.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.function.IntSupplier;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.cpu.Msr;
import org.penumbra.api.cpu.Outcome;
import org.penumbra.api.cpu.Processor;
import org.penumbra.api.deprivileged.DeprivilegedGuest;
import org.penumbra.api.paging.PageFaultError;
import org.penumbra.api.vmx.ExitReason;

/** A guest at CPL 3 without VMX (SDM vol. 3, "Privilege Levels", "Privileged Instructions"): what traps, and what its pages allow. */
class DeprivilegedTest {
    private static final long USER_PAGE = 0x40_0000;
    private static final long MONITOR_PAGE = 0x40_1000;

    private final Rig rig = new Rig();
    private final DeprivilegedGuest guest = new DeprivilegedGuest();

    @BeforeEach
    void tables() {
        long root = rig.longMode();
        guest.cr0 = rig.registers.paging.cr0();
        guest.cr3 = root;
        guest.cr4 = rig.registers.paging.cr4();
        guest.efer = rig.registers.paging.efer();
        rig.put(root, USER_PAGE, 1, 0x5000 | Rig.P | Rig.W | Rig.U);
        rig.put(root, MONITOR_PAGE, 1, 0x6000 | Rig.P | Rig.W);
    }

    private void trapped(int outcome, int vector) {
        assertThat(outcome).isEqualTo(Outcome.EXIT);
        assertThat(rig.cpu.exit().reason).isEqualTo(ExitReason.EXCEPTION_NMI.number());
        assertThat(rig.cpu.exit().vector).isEqualTo(vector);
        rig.cpu.enterDeprivileged(guest);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 3})
    @DisplayName("S20 every privileged operation is #GP(0) in the monitor's hands and has no effect, whatever privilege the guest believes in")
    void privilegedOperations(int cpl) {
        rig.registers.cpl = cpl;
        long rflags = rig.registers.rflags;
        long cr3 = rig.registers.paging.cr3();
        rig.cpu.enterDeprivileged(guest);
        IntSupplier[] operations = {
            () -> rig.cpu.movToCr0(0), () -> rig.cpu.movToCr3(0x9000), () -> rig.cpu.movToCr4(0), () -> rig.cpu.invlpg(USER_PAGE),
            () -> rig.cpu.invpcid(2, 0, 0), () -> rig.cpu.hlt(), () -> rig.cpu.out(0xf4, 1, 1), () -> rig.cpu.wrmsr(Msr.IA32_EFER, 0),
            () -> rig.cpu.changePrivilege(3 - cpl, 0)
        };
        for (IntSupplier operation : operations) {
            trapped(operation.getAsInt(), GuestException.GP);
        }
        trapped(rig.cpu.vmcall(), GuestException.UD);
        assertThat(rig.registers.cpl).isEqualTo(cpl);
        assertThat(rig.registers.rflags).isEqualTo(rflags);
        assertThat(rig.registers.paging.cr3()).isEqualTo(cr3);
        assertThat(rig.put).isEmpty();
    }

    @Test
    @DisplayName("S20 without de-privileging a change of privilege takes effect and costs nothing by itself")
    void changesOtherwise() {
        long before = rig.cpu.cycles().total();
        assertThat(rig.cpu.changePrivilege(3, 0x202)).isEqualTo(Outcome.DONE);
        assertThat(rig.registers.cpl).isEqualTo(3);
        assertThat(rig.registers.rflags).isEqualTo(0x202);
        assertThat(rig.cpu.cycles().total()).isEqualTo(before);
    }

    @Test
    @DisplayName("S20 the guest's kernel accesses memory as a user: a supervisor page faults to the monitor, a user page is there under SMAP and SMEP")
    void supervisorAccessesAreUserAccesses() {
        guest.cr4 |= 1 << 20 | 1 << 21;
        rig.registers.cpl = 0;
        rig.cpu.enterDeprivileged(guest);
        for (int access : new int[] {Rig.SR, Rig.SW, Rig.SF, Rig.AW, Rig.UR}) {
            assertThat(rig.cpu.translate(USER_PAGE, access)).as("access %d", access).isEqualTo(0x5000);
            assertThat((access == Rig.SF ? rig.cpu.instructionTlb() : rig.cpu.dataTlb()).lookup(USER_PAGE, access)).isEqualTo(0x5000);
        }
        assertThat(rig.cpu.translate(MONITOR_PAGE, Rig.SW)).isEqualTo(Processor.EXIT);
        assertThat(rig.cpu.exit().vector).isEqualTo(GuestException.PF);
        assertThat(rig.cpu.exit().qualification).isEqualTo(MONITOR_PAGE);
        assertThat(rig.cpu.exit().errorCode).isEqualTo(PageFaultError.PRESENT | PageFaultError.WRITE | PageFaultError.USER);
        assertThat(rig.cpu.exit().access).as("as the guest made it").isEqualTo(Rig.SW);
    }

    @Test
    @DisplayName("S20 a write to a read-only page faults although the guest's kernel made it, be CR0.WP what it may")
    void readOnly() {
        guest.cr0 &= ~(1L << 16);
        rig.put(guest.cr3, USER_PAGE, 1, 0x5000 | Rig.P | Rig.U);
        rig.cpu.enterDeprivileged(guest);
        assertThat(rig.cpu.translate(USER_PAGE, Rig.SR)).isEqualTo(0x5000);
        assertThat(rig.cpu.dataTlb().lookup(USER_PAGE, Rig.SW)).isNegative();
        assertThat(rig.cpu.translate(USER_PAGE, Rig.SW)).isEqualTo(Processor.EXIT);
    }

    @Test
    @DisplayName("S20 another root without a flush leaves the first one's translations usable, and with one it does not")
    void flush() {
        rig.cpu.enterDeprivileged(guest);
        rig.cpu.translate(USER_PAGE, Rig.UR);
        rig.cpu.hlt();
        guest.cr3 = rig.frame();
        rig.cpu.enterDeprivileged(guest);
        assertThat(rig.cpu.dataTlb().lookup(USER_PAGE, Rig.UR)).isEqualTo(0x5000);
        rig.cpu.hlt();
        guest.flush = true;
        rig.cpu.enterDeprivileged(guest);
        assertThat(rig.cpu.translate(USER_PAGE, Rig.UR)).isEqualTo(Processor.EXIT);
    }

    @Test
    @DisplayName("S20 an external interrupt traps whatever the guest's IF")
    void interrupts() {
        rig.registers.rflags &= ~(1L << 9);
        rig.cpu.enterDeprivileged(guest);
        rig.cpu.interruptLine().raise();
        assertThat(rig.cpu.interrupted()).isEqualTo(Outcome.EXIT);
        assertThat(rig.cpu.exit().reason).isEqualTo(ExitReason.EXTERNAL_INTERRUPT.number());
    }

    @Test
    @DisplayName("S20 a guest at CPL 3 with paging off, which nothing would keep in, is refused")
    void unpaged() {
        guest.cr0 &= ~(1L << 31);
        assertThatThrownBy(() -> rig.cpu.enterDeprivileged(guest)).isInstanceOf(IllegalStateException.class).hasMessageContaining("PG");
    }
}
