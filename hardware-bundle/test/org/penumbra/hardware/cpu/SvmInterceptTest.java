package org.penumbra.hardware.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.cpu.Msr;
import org.penumbra.api.cpu.Outcome;
import org.penumbra.api.cpu.Processor;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.svm.Vmcb;
import org.penumbra.api.vmx.ExitQualification;
import org.penumbra.api.vmx.ExitReason;

/** APM vol. 2, "Intercept Operation": what leaves a guest of SVM if its intercept is there, and what the exit tells. */
class SvmInterceptTest {
    private final Rig rig = new Rig();

    @BeforeEach
    void start() {
        rig.longMode();
        rig.npt(Layout.FOUR_LEVEL);
        rig.vmcb.hltIntercept = true;
        rig.vmcb.ioioIntercept = true;
        rig.vmcb.msrIntercept = true;
        rig.vmcb.vmmcallIntercept = true;
    }

    private void exited(int outcome, int code, ExitReason reason) {
        assertThat(outcome).isEqualTo(Outcome.EXIT);
        assertThat(rig.vmcb.exitCode).isEqualTo(code);
        assertThat(rig.cpu.exit().reason).isEqualTo(reason.number());
        rig.vmrun();
    }

    @Test
    @DisplayName("V13 HLT, OUT, WRMSR and VMMCALL exit with SVM's codes, and are told with the reasons of VMX that mean the same")
    void instructions() {
        rig.vmrun();
        exited(rig.cpu.hlt(), 0x78, ExitReason.HLT);
        int outcome = rig.cpu.out(0xf4, 2, 7);
        assertThat(rig.vmcb.exitInfo1).as("port in 31:16, width in 6:4, OUT").isEqualTo(0xf4_0020);
        assertThat(rig.cpu.exit().qualification).isEqualTo(ExitQualification.out(0xf4, 2));
        exited(outcome, 0x7b, ExitReason.IO_INSTRUCTION);
        outcome = rig.cpu.wrmsr(Msr.IA32_EFER, 0);
        assertThat(rig.vmcb.exitInfo1).as("a write").isEqualTo(1);
        exited(outcome, 0x7c, ExitReason.MSR_WRITE);
        exited(rig.cpu.vmcall(), 0x81, ExitReason.VMCALL);
    }

    @Test
    @DisplayName("V13 XSETBV exits if it is intercepted, after the privilege and before the value is looked at")
    void xsetbv() {
        rig.vmcb.xsetbvIntercept = true;
        rig.vmrun();
        exited(rig.cpu.xsetbv(0, 0), 0x8d, ExitReason.XSETBV);
        rig.vmcb.xsetbvIntercept = false;
        rig.cpu.hlt();
        rig.vmrun();
        assertThat(rig.cpu.xsetbv(0, 2)).isEqualTo(Outcome.FAULT);
        assertThat(rig.cpu.xsetbv(0, 3)).isEqualTo(Outcome.DONE);
        assertThat(rig.registers.system.xcr0).isEqualTo(3);
        rig.registers.cpl = 3;
        assertThat(rig.cpu.xsetbv(0, 1)).isEqualTo(Outcome.FAULT);
    }

    @Test
    @DisplayName("V13 without its intercept VMMCALL is #UD, and a user's HLT is #GP before any intercept")
    void without() {
        rig.vmcb.vmmcallIntercept = false;
        rig.vmrun();
        assertThat(rig.cpu.vmcall()).isEqualTo(Outcome.FAULT);
        assertThat(rig.cpu.exception().vector).isEqualTo(GuestException.UD);
        rig.registers.cpl = 3;
        assertThat(rig.cpu.hlt()).isEqualTo(Outcome.FAULT);
        assertThat(rig.cpu.exception().vector).isEqualTo(GuestException.GP);
    }

    @Test
    @DisplayName("V13 writes of CR0, CR3 and CR4, reads of CR3, INVLPG and INVPCID exit if their bits are set, a value that is not allowed being #GP before")
    void paging() {
        rig.vmcb.crWriteIntercepts = 1 | 1 << 3 | 1 << 4;
        rig.vmcb.crReadIntercepts = 1 << 3;
        rig.vmcb.invlpgIntercept = true;
        rig.vmcb.invpcidIntercept = true;
        rig.vmrun();
        PagingState state = rig.registers.paging;
        int outcome = rig.cpu.movToCr0(state.cr0());
        assertThat(rig.cpu.exit().qualification).isEqualTo(ExitQualification.movToCr(0));
        exited(outcome, 0x10, ExitReason.CR_ACCESS);
        exited(rig.cpu.movToCr3(0x7000), 0x13, ExitReason.CR_ACCESS);
        exited(rig.cpu.movToCr4(state.cr4()), 0x14, ExitReason.CR_ACCESS);
        outcome = rig.cpu.movFromCr3();
        assertThat(rig.cpu.exit().qualification).isEqualTo(ExitQualification.movFromCr(3));
        exited(outcome, 0x03, ExitReason.CR_ACCESS);
        outcome = rig.cpu.invlpg(0x5000);
        assertThat(rig.cpu.exit().qualification).isEqualTo(0x5000);
        assertThat(rig.vmcb.exitInfo1).as("without decode assists").isZero();
        exited(outcome, 0x79, ExitReason.INVLPG);
        exited(rig.cpu.invpcid(2, 0, 0), 0xa2, ExitReason.INVPCID);
        assertThat(rig.registers.paging).as("nothing took effect").isEqualTo(state);
        assertThat(rig.cpu.movToCr0(1L << 40)).isEqualTo(Outcome.FAULT);
        assertThat(rig.cpu.movToCr3(-1)).isEqualTo(Outcome.FAULT);
        assertThat(rig.cpu.movToCr4(1L << 40)).isEqualTo(Outcome.FAULT);
        assertThat(rig.cpu.exception().vector).isEqualTo(GuestException.GP);
    }

    @Test
    @DisplayName("V13 SVM's own instructions are #UD while EFER.SVME is 0, and outside of SVM; then #GP of a user; then they exit")
    void ownInstructions() {
        ExitReason[] instructions = {ExitReason.VMRUN, ExitReason.VMLOAD, ExitReason.VMSAVE, ExitReason.STGI, ExitReason.CLGI, ExitReason.INVLPGA};
        int[] codes = {0x80, 0x82, 0x83, 0x84, 0x85, 0x7a};
        assertThat(rig.cpu.svm(ExitReason.VMRUN.number())).isEqualTo(Outcome.FAULT);
        rig.vmrun();
        for (ExitReason i : instructions) {
            assertThat(rig.cpu.svm(i.number())).isEqualTo(Outcome.FAULT);
            assertThat(rig.cpu.exception().vector).isEqualTo(GuestException.UD);
        }
        rig.registers.paging = rig.registers.paging.withEfer(rig.registers.paging.efer() | ControlBits.EFER_SVME);
        for (int i = 0; i < codes.length; i++) {
            exited(rig.cpu.svm(instructions[i].number()), codes[i], instructions[i]);
        }
        rig.registers.cpl = 3;
        assertThat(rig.cpu.svm(ExitReason.VMRUN.number())).isEqualTo(Outcome.FAULT);
        assertThat(rig.cpu.exception().vector).isEqualTo(GuestException.GP);
    }

    @Test
    @DisplayName("V09 V13 a virtual interrupt that is pending exits as soon as the guest takes interrupts")
    void window() {
        rig.vmcb.interruptWindow = true;
        rig.registers.rflags &= ~(1L << 9);
        rig.vmrun();
        assertThat(rig.cpu.interrupted()).isEqualTo(Outcome.DONE);
        rig.registers.rflags |= 1L << 9;
        exited(rig.cpu.interrupted(), 0x64, ExitReason.INTERRUPT_WINDOW);
    }

    @Test
    @DisplayName("V09 V13 the intercept of IRET exits when NMIs are not blocked any more; a task switch exits, with its selector")
    void nmiWindow() {
        rig.vmcb.iretIntercept = true;
        rig.registers.system.nmiBlocked = true;
        rig.vmrun();
        assertThat(rig.cpu.interrupted()).isEqualTo(Outcome.DONE);
        rig.registers.system.nmiBlocked = false;
        exited(rig.cpu.interrupted(), 0x74, ExitReason.NMI_WINDOW);
        int outcome = rig.cpu.taskSwitch(0x28, 2);
        assertThat(rig.cpu.exit().qualification).isEqualTo(2L << 30 | 0x28);
        exited(outcome, 0x7d, ExitReason.TASK_SWITCH);
    }

    @Test
    @DisplayName("V09 V13 VMRUN delivers the event in EVENTINJ, once")
    void injection() {
        rig.vmcb.inject = true;
        rig.vmcb.injectVector = GuestException.PF;
        rig.vmcb.injectErrorCode = 6;
        rig.vmcb.injectAddress = 0x1234;
        rig.vmrun();
        assertThat(rig.cpu.takeInjectedEvent()).satisfies(e -> {
            assertThat(e.vector).isEqualTo(GuestException.PF);
            assertThat(e.errorCode).isEqualTo(6);
            assertThat(e.address).isEqualTo(0x1234);
        });
        assertThat(rig.cpu.takeInjectedEvent()).isNull();
        rig.cpu.hlt();
        rig.vmrun();
        assertThat(rig.cpu.takeInjectedEvent()).as("the next VMRUN").isNull();
    }

    @Test
    @DisplayName("V13 T14 a nested page fault is told with its error code, address and kind of access")
    void nestedPageFault() {
        rig.vmrun();
        assertThat(rig.use(0x5000, Rig.SR)).isEqualTo(Processor.EXIT);
        assertThat(rig.vmcb.exitCode).isEqualTo(Vmcb.VMEXIT_NPF);
        assertThat(rig.cpu.exit().reason).isEqualTo(ExitReason.NPF.number());
        assertThat(rig.cpu.exit().qualification).isEqualTo(rig.vmcb.exitInfo1);
        assertThat(rig.cpu.exit().guestPhysical).isEqualTo(rig.vmcb.exitInfo2);
    }
}
