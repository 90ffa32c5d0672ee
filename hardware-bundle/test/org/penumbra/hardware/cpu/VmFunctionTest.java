package org.penumbra.hardware.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.cpu.Outcome;
import org.penumbra.api.cpu.Processor;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.api.vmx.Vmcs;

/** SDM vol. 3, "VM Functions" ("EPTP Switching") and "Virtualization Exceptions". */
class VmFunctionTest {
    private static final long GVA = 0x40_0060_3000L;
    private static final long GPA = 0x5000;
    private static final long LIST = 0x8_0000;
    private static final long AREA = 0x8_1000;
    private static final long SUPPRESS = 1L << 63;

    private Rig rig;
    private long root;
    private long first;
    private long second;

    @BeforeEach
    void machine() {
        rig = new Rig();
        root = rig.longMode();
        rig.map(root, GVA, GPA, Rig.P | Rig.W | Rig.U | Rig.A | Rig.D);
        second = rig.ept(0);
        long other = rig.vmcs.eptp;
        rig.eptIdentity(second, 16 << 20, 1);
        rig.eptMap(second, GPA, 0xab_c000, Rig.EPT_RWX | Rig.EPT_WB);
        first = rig.ept(0);
        rig.eptIdentity(first, 16 << 20, 1);
        rig.vmcs.vpid = 7;
        rig.memory.store64(LIST, rig.vmcs.eptp);
        rig.memory.store64(LIST + 8, other);
        rig.memory.store64(LIST + 16, other | 1);
        rig.vmcs.enableVmFunctions = true;
        rig.vmcs.vmFunctionControls = Vmcs.EPTP_SWITCHING;
        rig.vmcs.eptpListAddress = LIST;
        rig.vmcs.veInformationAddress = AREA;
    }

    @Test
    @DisplayName("E11 EPTP switching: the guest is under the other tables at once, and back, with nothing flushed")
    void switching() {
        rig.enter();
        assertThat(rig.use(GVA, Rig.SR)).isEqualTo(GPA);
        assertThat(rig.cpu.vmfunc(0, 1)).isEqualTo(Outcome.DONE);
        assertThat(rig.vmcs.eptp & Rig.ADDRESS).isEqualTo(second);
        assertThat(rig.use(GVA, Rig.SR)).isEqualTo(0xab_c000);
        long walks = rig.walks();
        assertThat(rig.cpu.vmfunc(0, 0)).isEqualTo(Outcome.DONE);
        assertThat(rig.use(GVA, Rig.SR)).isEqualTo(GPA);
        assertThat(rig.walks()).as("what is cached is tagged by the EPT root").isEqualTo(walks);
    }

    @ParameterizedTest(name = "E11 VMFUNC of function {0}, index {1} exits")
    @CsvSource({"1, 0", "64, 0", "-1, 0", "0, 512", "0, -1", "0, 2"})
    void exits(int function, int index) {
        rig.enter();
        assertThat(rig.cpu.vmfunc(function, index)).isEqualTo(Outcome.EXIT);
        assertThat(ExitReason.of(rig.cpu.exit().reason)).isEqualTo(ExitReason.VMFUNC);
        assertThat(rig.vmcs.eptp & Rig.ADDRESS).isEqualTo(first);
    }

    @Test
    @DisplayName("E11 VMFUNC is #UD without VM functions, and outside non-root operation; at CPL 3 it is allowed")
    void undefined() {
        assertThat(rig.cpu.vmfunc(0, 0)).isEqualTo(Outcome.FAULT);
        assertThat(rig.cpu.exception().vector).isEqualTo(GuestException.UD);
        rig.enter();
        rig.registers.cpl = 3;
        assertThat(rig.cpu.vmfunc(0, 1)).isEqualTo(Outcome.DONE);
        rig.vmcs.enableVmFunctions = false;
        assertThat(rig.cpu.vmfunc(0, 1)).isEqualTo(Outcome.FAULT);
    }

    private void unmap(long bits) {
        rig.memory.store64(rig.eptSlot(first, GPA, 1), bits);
        rig.vmcs.eptViolationVe = true;
        rig.vmcs.eptpIndex = 3;
        rig.enter();
    }

    @Test
    @DisplayName("E12 an EPT violation whose entry does not suppress it is #VE, and the area tells what the hypervisor would have been told")
    void exception() {
        unmap(0);
        assertThat(rig.use(GVA + 8, Rig.SW)).isEqualTo(Processor.FAULT);
        assertThat(rig.cpu.exception().vector).isEqualTo(GuestException.VE);
        assertThat(rig.memory.load64(AREA)).isEqualTo(0xffff_ffffL << 32 | 48);
        assertThat(rig.memory.load64(AREA + 8) & 0x1ff).as("write, linear address valid, its translation").isEqualTo(2 | 1 << 7 | 1 << 8);
        assertThat(rig.memory.load64(AREA + 16)).isEqualTo(GVA + 8);
        assertThat(rig.memory.load64(AREA + 24)).isEqualTo(GPA + 8);
        assertThat(rig.memory.load64(AREA + 32) & 0xffff).isEqualTo(3);
        assertThat(rig.use(GVA, Rig.SW)).as("until the area is cleared it exits").isEqualTo(Processor.EXIT);
    }

    @ParameterizedTest(name = "E12 entry {0}, suppress #VE {1}, control {2}: #VE {3}")
    @CsvSource({"0, true, true, false", "0, false, false, false", "5035, false, true, true", "5035, true, true, false", "5032, false, true, false"})
    void convertible(String entry, boolean suppress, boolean control, boolean converted) {
        // 0x5035: readable and executable, so a write violates; 0x5032: W without R, a misconfiguration.
        unmap(Long.parseLong(entry, 16) | (suppress ? SUPPRESS : 0));
        rig.vmcs.eptViolationVe = control;
        assertThat(rig.use(GVA, Rig.SW)).isEqualTo(converted ? Processor.FAULT : Processor.EXIT);
    }

    @Test
    @DisplayName("E12 #VE exits if the exception bitmap says so")
    void intercepted() {
        rig.vmcs.exceptionBitmap = 1 << GuestException.VE;
        unmap(0);
        assertThat(rig.use(GVA, Rig.SW)).isEqualTo(Processor.EXIT);
        assertThat(ExitReason.of(rig.cpu.exit().reason)).isEqualTo(ExitReason.EXCEPTION_NMI);
        assertThat(rig.cpu.exit().vector).isEqualTo(GuestException.VE);
    }

    @Test
    @DisplayName("E11 E12 VM entry wants EPT and frames")
    void entry() {
        rig.vmcs.eptpListAddress = LIST + 8;
        assertThatThrownBy(rig::enter).isInstanceOf(IllegalStateException.class).hasMessageContaining("EPTP list");
        rig.vmcs.eptpListAddress = LIST;
        rig.vmcs.eptViolationVe = true;
        rig.vmcs.veInformationAddress = AREA + 8;
        assertThatThrownBy(rig::enter).isInstanceOf(IllegalStateException.class).hasMessageContaining("virtualization-exception");
    }
}
