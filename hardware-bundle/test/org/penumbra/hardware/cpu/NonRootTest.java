package org.penumbra.hardware.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.penumbra.api.paging.ControlBits.CR0_PE;
import static org.penumbra.api.paging.ControlBits.CR0_PG;
import static org.penumbra.api.paging.ControlBits.CR0_WP;
import static org.penumbra.api.paging.ControlBits.CR3_NO_FLUSH;
import static org.penumbra.api.paging.ControlBits.CR4_PCIDE;
import static org.penumbra.api.paging.ControlBits.CR4_PGE;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.clock.Work;
import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.cpu.Outcome;
import org.penumbra.api.cpu.Processor;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.vmx.ExitReason;

/** VMX non-root operation: SDM vol. 3, "VMX Non-Root Operation". */
class NonRootTest {
    private static final long X = 0x40_0000_0000L;

    private Rig rig;
    private long root;

    @BeforeEach
    void machine() {
        rig = new Rig();
        root = rig.longMode();
        rig.map(root, X, 0x5000, Rig.P | Rig.W);
        rig.vmcs.vpid = 7;
    }

    private void expectExit(int outcome, ExitReason reason, long qualification) {
        assertThat(outcome).isEqualTo(Outcome.EXIT);
        assertThat(ExitReason.of(rig.cpu.exit().reason)).isEqualTo(reason);
        assertThat(rig.cpu.exit().qualification).isEqualTo(qualification);
    }

    @Test
    @DisplayName("V06 bit 14 of the exception bitmap makes #PF an exit with vector, error code, address and access kind")
    void pageFaultExit() {
        rig.vmcs.exceptionBitmap = 1 << 14;
        rig.enter();
        assertThat(rig.use(X + 0x1234, Rig.UW)).isEqualTo(Processor.EXIT);
        expectExit(Outcome.EXIT, ExitReason.EXCEPTION_NMI, X + 0x1234);
        assertThat(rig.cpu.exit().vector).isEqualTo(14);
        assertThat(rig.cpu.exit().errorCode).isEqualTo(6);
        assertThat(rig.cpu.exit().access).isEqualTo(Rig.UW);
        assertThat(rig.cpu.cycles().events(Work.EXIT)).isEqualTo(1);
    }

    @Test
    @DisplayName("V06 without the bit #PF belongs to the guest; bit 13 intercepts #GP")
    void otherVectors() {
        rig.vmcs.exceptionBitmap = 1 << 13;
        rig.enter();
        rig.expectFault(X + 0x1000, Rig.UW, 6);
        assertThat(rig.use(1L << 50, Rig.SR)).isEqualTo(Processor.EXIT);
        expectExit(Outcome.EXIT, ExitReason.EXCEPTION_NMI, 0);
        assertThat(rig.cpu.exit().vector).isEqualTo(13);
    }

    @Test
    @DisplayName("V06 XSETBV exits whatever its operands are, but for #GP of a user")
    void xsetbv() {
        rig.enter();
        expectExit(rig.cpu.xsetbv(7, 0), ExitReason.XSETBV, 0);
        rig.enter();
        rig.registers.cpl = 3;
        assertThat(rig.cpu.xsetbv(0, 1)).isEqualTo(Outcome.FAULT);
        assertThat(rig.cpu.exception().vector).isEqualTo(GuestException.GP);
        assertThat(rig.registers.system.xcr0).isEqualTo(1);
    }

    @Test
    @DisplayName("S21 CR3-load exiting; without it MOV to CR3 changes guest and architectural CR3")
    void movCr3() {
        rig.vmcs.cr3LoadExiting = true;
        rig.enter();
        expectExit(rig.cpu.movToCr3(0x1000), ExitReason.CR_ACCESS, 3);
        assertThat(rig.vmcs.guestCr3).isEqualTo(root);
        rig.vmcs.cr3LoadExiting = false;
        rig.enter();
        assertThat(rig.cpu.movToCr3(0x1000)).isEqualTo(Outcome.DONE);
        assertThat(rig.vmcs.guestCr3).isEqualTo(0x1000);
        assertThat(rig.registers.paging.cr3()).isEqualTo(0x1000);
    }

    /** SDM vol. 3, "CR3-Target Controls" and "Instructions That Cause VM Exits Conditionally", MOV to CR3. */
    @Test
    @DisplayName("S21 with CR3-load exiting a MOV to CR3 of one of the first CR3-target values does not exit, and flushes as any MOV to CR3")
    void cr3Targets() {
        long other = rig.frame();
        rig.map(root, X, 0x5000, Rig.P);
        rig.map(other, X, 0x6000, Rig.P);
        rig.vmcs.cr3LoadExiting = true;
        rig.vmcs.cr3Targets[0] = other;
        rig.vmcs.cr3Targets[1] = other | 1 << 11;
        rig.vmcs.cr3Targets[2] = root;
        rig.vmcs.cr3TargetCount = 2;
        rig.enter();
        assertThat(rig.use(X, Rig.SR)).isEqualTo(0x5000);
        assertThat(rig.cpu.movToCr3(other | 1 << 11)).isEqualTo(Outcome.DONE);
        assertThat(rig.vmcs.guestCr3).isEqualTo(other | 1 << 11);
        assertThat(rig.use(X, Rig.SR)).as("bits 11:5 are ignored by the walk").isEqualTo(0x6000);
        rig.map(other, X, 0x7000, Rig.P);
        assertThat(rig.cpu.movToCr3(other)).isEqualTo(Outcome.DONE);
        assertThat(rig.use(X, Rig.SR)).as("the TLB was flushed").isEqualTo(0x7000);
        expectExit(rig.cpu.movToCr3(root), ExitReason.CR_ACCESS, 3);
        rig.enter();
        expectExit(rig.cpu.movToCr3(other | 1 << 10), ExitReason.CR_ACCESS, 3);
        rig.enter();
        rig.registers.cpl = 3;
        assertThat(rig.cpu.movToCr3(other)).as("privilege comes first").isEqualTo(Outcome.FAULT);
    }

    @Test
    @DisplayName("S21 VM entry refuses a CR3-target count above that of IA32_VMX_MISC")
    void cr3TargetCount() {
        rig.vmcs.cr3TargetCount = 4;
        rig.enter();
        rig.cpu.vmcall();
        rig.vmcs.cr3TargetCount = 5;
        assertThatIllegalStateException().isThrownBy(rig::enter).withMessage("CR3-target count 5: 0 to 4 are possible");
    }

    @Test
    @DisplayName("V06 the processor walks the guest-state CR3, not the one that the guest sees")
    void realRegisters() {
        long shadow = rig.frame();
        rig.map(shadow, X, 0x8000, Rig.P);
        rig.enter();
        rig.cpu.vmcall();
        rig.vmcs.guestCr3 = shadow;
        rig.cpu.vmEntry(rig.vmcs);
        rig.cpu.invvpidContext(7);
        assertThat(rig.use(X, Rig.SR)).isEqualTo(0x8000);
        assertThat(rig.registers.paging.cr3()).isEqualTo(root);
    }

    @Test
    @DisplayName("V06 CR0 mask: a masked bit that differs from the read shadow exits, others are written, masked ones stay real")
    void cr0Mask() {
        rig.vmcs.cr0Mask = CR0_WP;
        rig.vmcs.cr0ReadShadow = 0;
        rig.registers.paging = rig.registers.paging.withCr0(CR0_PG | CR0_PE);
        rig.enter();
        rig.cpu.vmcall();
        rig.vmcs.guestCr0 = CR0_PG | CR0_PE | CR0_WP;
        rig.cpu.vmEntry(rig.vmcs);
        long ts = 1 << 3;
        assertThat(rig.cpu.movToCr0(CR0_PG | CR0_PE | ts)).isEqualTo(Outcome.DONE);
        assertThat(rig.registers.paging.cr0()).as("what the guest sees").isEqualTo(CR0_PG | CR0_PE | ts);
        assertThat(rig.vmcs.guestCr0).as("what is real").isEqualTo(CR0_PG | CR0_PE | CR0_WP | ts);
        expectExit(rig.cpu.movToCr0(CR0_PG | CR0_PE | CR0_WP), ExitReason.CR_ACCESS, 0);
        assertThat(rig.registers.paging.cr0()).isEqualTo(CR0_PG | CR0_PE | ts);
    }

    @Test
    @DisplayName("V06 without unrestricted guest CR0.PE and CR0.PG stay 1: #GP(0)")
    void fixedBits() {
        rig.enter();
        assertThat(rig.cpu.movToCr0(CR0_PE)).isEqualTo(Outcome.FAULT);
        assertThat(rig.cpu.exception().vector).isEqualTo(13);
    }

    @Test
    @DisplayName("V06 CR4 mask, read shadow, and what a MOV that does not exit drops")
    void cr4Mask() {
        rig.vmcs.cr4Mask = CR4_PCIDE;
        rig.enter();
        rig.use(X, Rig.SR);
        rig.map(root, X, 0x6000, Rig.P);
        long cr4 = rig.registers.paging.cr4();
        expectExit(rig.cpu.movToCr4(cr4 | CR4_PCIDE), ExitReason.CR_ACCESS, 4);
        rig.enter();
        assertThat(rig.use(X, Rig.SR)).as("the exit dropped nothing").isEqualTo(0x5000);
        rig.vmcs.guestCr4 |= CR4_PCIDE;
        assertThat(rig.cpu.movToCr4(cr4 | CR4_PGE)).isEqualTo(Outcome.DONE);
        assertThat(rig.vmcs.guestCr4).as("the masked bit stays as it really is").isEqualTo(cr4 | CR4_PGE | CR4_PCIDE);
        assertThat(rig.registers.paging.cr4()).isEqualTo(cr4 | CR4_PGE);
        assertThat(rig.use(X, Rig.SR)).isEqualTo(0x6000);
    }

    @Test
    @DisplayName("V04 INVLPG, HLT, OUT and VMCALL exit when their controls say so")
    void instructions() {
        rig.vmcs.invlpgExiting = true;
        rig.vmcs.hltExiting = true;
        rig.vmcs.ioExiting = true;
        rig.enter();
        expectExit(rig.cpu.invlpg(0x1234_5678L), ExitReason.INVLPG, 0x1234_5678L);
        rig.enter();
        expectExit(rig.cpu.hlt(), ExitReason.HLT, 0);
        rig.enter();
        expectExit(rig.cpu.out(0x3f8, 4, 65), ExitReason.IO_INSTRUCTION, 0x3f8 << 16 | 3);
        assertThat(rig.put).isEmpty();
        rig.enter();
        expectExit(rig.cpu.vmcall(), ExitReason.VMCALL, 0);
        rig.vmcs.invlpgExiting = false;
        rig.vmcs.hltExiting = false;
        rig.vmcs.ioExiting = false;
        rig.enter();
        assertThat(rig.cpu.invlpg(0)).isEqualTo(Outcome.DONE);
        assertThat(rig.cpu.hlt()).isEqualTo(Outcome.DONE);
        assertThat(rig.cpu.out(0x3f8, 4, 65)).isEqualTo(Outcome.DONE);
        assertThat(rig.put).containsExactly("1016 4 65");
        assertThat(rig.cpu.cycles().events(Work.EXIT)).isEqualTo(4);
    }

    @Test
    @DisplayName("V04 CPUID, RDMSR and a triple fault always exit; IN and MOV from CR3 when their controls say so")
    void readingInstructions() {
        rig.vmcs.ioExiting = true;
        rig.vmcs.cr3StoreExiting = true;
        rig.enter();
        expectExit(rig.cpu.cpuid(), ExitReason.CPUID, 0);
        rig.enter();
        expectExit(rig.cpu.rdmsr(0xc000_0080), ExitReason.MSR_READ, 0);
        rig.enter();
        expectExit(rig.cpu.in(0x3fd, 1), ExitReason.IO_INSTRUCTION, 0x3fdL << 16 | 1 << 3);
        rig.enter();
        expectExit(rig.cpu.movFromCr3(), ExitReason.CR_ACCESS, 3 | 1 << 4);
        rig.enter();
        expectExit(rig.cpu.tripleFault(), ExitReason.TRIPLE_FAULT, 0);
        rig.vmcs.ioExiting = false;
        rig.vmcs.cr3StoreExiting = false;
        rig.enter();
        assertThat(rig.cpu.in(0x3fd, 1)).isEqualTo(Outcome.DONE);
        assertThat(rig.cpu.result()).as("a port that nobody has").isEqualTo(0xff);
        assertThat(rig.cpu.movFromCr3()).isEqualTo(Outcome.DONE);
        assertThat(rig.cpu.result()).isEqualTo(rig.vmcs.guestCr3);
    }

    @Test
    @DisplayName("V04 IN and OUT are #GP above IOPL, RDMSR and MOV from CR3 above CPL 0, before they exit; CPUID never")
    void readingPrivileges() {
        rig.vmcs.ioExiting = true;
        rig.enter();
        rig.registers.cpl = 3;
        for (int outcome : new int[] {rig.cpu.in(0x80, 1), rig.cpu.out(0x80, 1, 0), rig.cpu.rdmsr(0x10), rig.cpu.movFromCr3()}) {
            assertThat(outcome).isEqualTo(Outcome.FAULT);
            assertThat(rig.cpu.exception().vector).isEqualTo(GuestException.GP);
        }
        rig.registers.rflags |= 3 << 12;
        expectExit(rig.cpu.in(0x80, 1), ExitReason.IO_INSTRUCTION, 0x80L << 16 | 1 << 3);
        rig.enter();
        expectExit(rig.cpu.cpuid(), ExitReason.CPUID, 0);
    }

    @Test
    @DisplayName("V09 no interrupt window opens in the shadow of STI or MOV SS")
    void interruptShadow() {
        rig.vmcs.interruptWindowExiting = true;
        rig.registers.rflags |= 1 << 9;
        rig.registers.system.interruptShadow = true;
        rig.enter();
        assertThat(rig.cpu.interrupted()).isEqualTo(Outcome.DONE);
        rig.registers.system.interruptShadow = false;
        expectExit(rig.cpu.interrupted(), ExitReason.INTERRUPT_WINDOW, 0);
    }

    @Test
    @DisplayName("V09 the NMI window opens when NMIs are not blocked, whatever RFLAGS.IF is, before the interrupt window")
    void nmiWindow() {
        rig.vmcs.nmiWindowExiting = true;
        rig.vmcs.interruptWindowExiting = true;
        rig.registers.system.nmiBlocked = true;
        rig.registers.rflags &= ~(1L << 9);
        rig.enter();
        assertThat(rig.cpu.interruptLine().raised()).isTrue();
        assertThat(rig.cpu.interrupted()).isEqualTo(Outcome.DONE);
        rig.registers.rflags |= 1 << 9;
        rig.registers.system.nmiBlocked = false;
        expectExit(rig.cpu.interrupted(), ExitReason.NMI_WINDOW, 0);
    }

    @Test
    @DisplayName("V04 MOV to and from CR8 exit, of CPL 0 only, before the value is looked at")
    void taskPriority() {
        rig.enter();
        expectExit(rig.cpu.movToCr8(16), ExitReason.CR_ACCESS, 8);
        rig.enter();
        expectExit(rig.cpu.movFromCr8(), ExitReason.CR_ACCESS, 8 | 1 << 4);
        rig.enter();
        rig.registers.cpl = 3;
        assertThat(rig.cpu.movToCr8(0)).isEqualTo(Outcome.FAULT);
    }

    @Test
    @DisplayName("V04 a task switch always exits, with selector and source; ports that the bitmap permits are not #GP above IOPL")
    void taskSwitch() {
        rig.enter();
        expectExit(rig.cpu.taskSwitch(0x28, Processor.BY_GATE), ExitReason.TASK_SWITCH, 3L << 30 | 0x28);
        rig.vmcs.ioExiting = true;
        rig.enter();
        rig.registers.cpl = 3;
        rig.registers.system.portsPermitted = true;
        expectExit(rig.cpu.in(0x80, 1), ExitReason.IO_INSTRUCTION, 0x80L << 16 | 1 << 3);
    }

    @Test
    @DisplayName("V04 the fault for privilege comes before the exit; the exit before the fault for a bad value")
    void priorities() {
        rig.vmcs.cr3LoadExiting = true;
        rig.vmcs.invlpgExiting = true;
        rig.vmcs.hltExiting = true;
        rig.vmcs.ioExiting = true;
        rig.vmcs.cr0Mask = -1;
        rig.vmcs.cr4Mask = -1;
        rig.enter();
        rig.registers.cpl = 3;
        assertThat(rig.cpu.movToCr3(0)).isEqualTo(Outcome.FAULT);
        assertThat(rig.cpu.movToCr0(0)).isEqualTo(Outcome.FAULT);
        assertThat(rig.cpu.movToCr4(1)).isEqualTo(Outcome.FAULT);
        assertThat(rig.cpu.invlpg(0)).isEqualTo(Outcome.FAULT);
        assertThat(rig.cpu.hlt()).isEqualTo(Outcome.FAULT);
        assertThat(rig.cpu.out(0, 1, 0)).isEqualTo(Outcome.FAULT);
        expectExit(rig.cpu.vmcall(), ExitReason.VMCALL, 0);
        rig.registers.cpl = 0;
        rig.enter();
        expectExit(rig.cpu.movToCr3(1L << 60), ExitReason.CR_ACCESS, 3);
    }

    @Test
    @DisplayName("V06 MOV to CR3 with bit 63 that does not exit keeps entries; bit 63 never reaches the VMCS")
    void noFlush() {
        rig.cr4(CR4_PCIDE);
        rig.enter();
        rig.use(X, Rig.SR);
        rig.map(root, X, 0x6000, Rig.P);
        assertThat(rig.cpu.movToCr3(root | CR3_NO_FLUSH)).isEqualTo(Outcome.DONE);
        assertThat(rig.vmcs.guestCr3).isEqualTo(root);
        assertThat(rig.use(X, Rig.SR)).isEqualTo(0x5000);
    }

    @Test
    @DisplayName("V09 an event that the VMCS injects is handed over once, and consumed")
    void injection() {
        rig.vmcs.inject = true;
        rig.vmcs.injectVector = 14;
        rig.vmcs.injectErrorCode = 6;
        rig.vmcs.injectAddress = 0x1234;
        rig.enter();
        assertThat(rig.vmcs.inject).isFalse();
        GuestException event = rig.cpu.takeInjectedEvent();
        assertThat(event.vector).isEqualTo(14);
        assertThat(event.errorCode).isEqualTo(6);
        assertThat(event.address).isEqualTo(0x1234);
        assertThat(rig.cpu.takeInjectedEvent()).isNull();
        rig.cpu.vmcall();
        rig.enter();
        assertThat(rig.cpu.takeInjectedEvent()).isNull();
    }

    @Test
    @DisplayName("V12 entry with an EPT pointer that the processor does not take is refused by name")
    void badEptp() {
        rig.vmcs.enableEpt = true;
        rig.vmcs.eptp = 0x1000 | 2 << 3 | 6;
        assertThatThrownBy(rig::enter).hasMessageContaining("EPTP 0x1016").hasMessageContaining("4 or 5 levels");
        rig.vmcs.eptp = 0x1000 | 3 << 3 | 6;
        rig.enter();
        assertThatThrownBy(rig::enter).hasMessageContaining("exit is needed first");
    }

    @Test
    @DisplayName("V06 a guest whose paging state changed in the hypervisor's hands runs with the new PKRU at the next entry")
    void pkru() {
        rig.map(root, X, 0x5000, Rig.P | Rig.U);
        rig.cr4(1 << 22);
        rig.enter();
        assertThat(rig.use(X, Rig.UR)).isEqualTo(0x5000);
        rig.cpu.vmcall();
        PagingState s = rig.registers.paging;
        rig.registers.paging = new PagingState(s.cr0(), s.cr3(), s.cr4(), s.efer(), 1, 0);
        rig.enter();
        rig.expectFault(X, Rig.UR, 0x25);
    }
}
