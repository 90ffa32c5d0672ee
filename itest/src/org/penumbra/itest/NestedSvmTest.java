package org.penumbra.itest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Map;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.cpu.Msr;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.svm.SvmIntercepts;
import org.penumbra.api.svm.Vmcb;
import org.penumbra.api.svm.VmcbField;
import org.penumbra.api.vmx.ExitReason;

/** What a guest that is a hypervisor sees of SVM: its instructions, its guest's exits (APM vol. 2, "Secure Virtual Machine"). */
class NestedSvmTest extends SvmHypervisor {
    private static final long IOPM = 0x24_0000;
    private static final long MSRPM = 0x24_4000;

    @ParameterizedTest(name = "{0}")
    @EnumSource(value = ExitReason.class, names = {"VMRUN", "VMLOAD", "VMSAVE", "STGI", "CLGI", "INVLPGA"})
    @DisplayName("V13 N04 instructions of SVM are #UD while EFER.SVME is 0")
    void undefined(ExitReason instruction) {
        l1.then(s -> s.svm(instruction, VMCB));
        assertThatThrownBy(this::run).isInstanceOf(MachineException.class).hasMessageContaining("#UD");
    }

    @ParameterizedTest(name = "{0}")
    @ValueSource(strings = {"shadow", "ept"})
    @DisplayName("V13 under a design by VMX a guest finds no SVM: EFER.SVME is reserved")
    void notUnderVmx(String design) {
        on();
        assertThatThrownBy(() -> run(design, Trial.skylake(profiles), Map.of())).isInstanceOf(MachineException.class).hasMessageContaining("#GP");
    }

    @Test
    @DisplayName("V13 VMRUN is #GP of a VMCB that is not aligned, or beyond the physical addresses, or with VM_HSAVE_PA = 0; so is a bad VM_HSAVE_PA")
    void generalProtection() {
        for (long at : new long[] {VMCB + 8, 1L << 50}) {
            configured().then(s -> s.svm(ExitReason.VMRUN, at));
            assertThatThrownBy(this::run).as("0x%x", at).isInstanceOf(MachineException.class).hasMessageContaining("#GP");
        }
        l1.then(s -> s.wrmsr(Msr.IA32_EFER, EFER)).then(SvmHypervisor::vmrun);
        assertThatThrownBy(this::run).isInstanceOf(MachineException.class).hasMessageContaining("#GP");
        l1.then(s -> s.wrmsr(Msr.VM_HSAVE_PA, HSAVE + 1));
        assertThatThrownBy(this::run).isInstanceOf(MachineException.class).hasMessageContaining("#GP");
    }

    @ParameterizedTest(name = "{0} = {1}")
    @CsvSource({
        "ASID, 0", "INTERCEPT_MISC2, 2", "TLB_CONTROL, 2", "EFER, 0xd00", "CR0, 0xa0010001", "CR0, 0x180010001", "CR4, 0x8000", "CR4, 0",
        "CR3, 0x4000000000000", "N_CR3, 0x4000000000000", "EVENTINJ, 0x80000520", "EVENTINJ, 0x80000320", "DR7, 0x100000000", "EFER, 0x1d02"
    })
    @DisplayName("V13 N04 VMRUN of a VMCB that is not consistent is #VMEXIT(VMEXIT_INVALID), and L1 goes on behind it")
    void invalid(VmcbField field, String value) {
        nested().runs(new GuestState(new InnerGuest(s -> {})));
        l1.then(s -> put(s, field, Long.decode(value)));
        expectExit(Vmcb.VMEXIT_INVALID);
        assertThat(run().counters().get("nested_run")).isZero();
    }

    @Test
    @DisplayName("V13 N02 N05 what L1 intercepts it sees, with SVM's codes and information: writes of CR0, CR3 and CR4, INVLPG, HLT, I/O, MSRs, SVM's instructions, #PF, VMMCALL")
    void reflected() {
        GuestState l2 = new GuestState(new InnerGuest(s -> {
            s.movToCr3(0x1000);
            s.movToCr4(HypervisorScript.state().cr4() | ControlBits.CR4_PGE);
            s.movToCr0(HypervisorScript.state().cr0());
            s.invlpg(0x7000);
            s.hlt();
            s.out(0x80, 1, 9);
            s.wrmsr(Msr.IA32_STAR, 3);
            s.svm(ExitReason.CLGI, 0);
            s.svm(ExitReason.VMRUN, VMCB);
            s.load(0x7f_ffff_f000L, 8);
        }));
        configured().runs(l2).then(s -> {
            put(s, VmcbField.INTERCEPT_CR, SvmIntercepts.crWrite(0) | SvmIntercepts.crWrite(3) | SvmIntercepts.crWrite(4));
            put(s, VmcbField.INTERCEPT_EXCEPTION, 1 << GuestException.PF);
            put(s, VmcbField.INTERCEPT_MISC1, SvmIntercepts.INVLPG | SvmIntercepts.HLT | SvmIntercepts.IOIO | SvmIntercepts.MSR);
            put(s, VmcbField.INTERCEPT_MISC2, SvmIntercepts.VMRUN | SvmIntercepts.VMMCALL | SvmIntercepts.CLGI);
            put(s, VmcbField.IOPM_BASE_PA, IOPM);
            put(s, VmcbField.MSRPM_BASE_PA, MSRPM);
            s.store(IOPM + (0x80 >> 3), 1, 1);
            // STAR is C0000081H: two bits each, of which the second is for writes.
            s.store(MSRPM + 0x800 + 0x20, 1, 1 << 3);
        });
        int[] codes = {
            Vmcb.VMEXIT_CR_WRITE + 3, Vmcb.VMEXIT_CR_WRITE + 4, Vmcb.VMEXIT_CR_WRITE, Vmcb.VMEXIT_INVLPG, Vmcb.VMEXIT_HLT, Vmcb.VMEXIT_IOIO,
            Vmcb.VMEXIT_MSR, Vmcb.VMEXIT_CLGI, Vmcb.VMEXIT_VMRUN, Vmcb.VMEXIT_EXCP + GuestException.PF, Vmcb.VMEXIT_VMMCALL
        };
        for (int i = 0; i < codes.length; i++) {
            expectExit(codes[i]);
            boolean last = codes[i] == Vmcb.VMEXIT_VMMCALL;
            expect(VmcbField.RIP, last ? 0 : i);
            if (codes[i] == Vmcb.VMEXIT_IOIO) {
                expect(VmcbField.EXITINFO1, 0x80_0010);
            } else if (codes[i] == Vmcb.VMEXIT_MSR) {
                expect(VmcbField.EXITINFO1, 1);
            } else if (codes[i] == Vmcb.VMEXIT_EXCP + GuestException.PF) {
                expect(VmcbField.EXITINFO1, 0);
                expect(VmcbField.EXITINFO2, 0x7f_ffff_f000L);
            }
            long next = i + 1;
            l1.then(s -> put(s, VmcbField.RIP, next));
        }
        run();
    }

    @Test
    @DisplayName("V13 N05 what L1 does not intercept L2 does by itself, or L0 for it: CR3, CR4, INVLPG, an MSR and a port whose bits are 0; VMMCALL is #UD")
    void notReflected() {
        GuestState l2 = new GuestState(new InnerGuest(s -> {
            s.movToCr3(0x1000);
            s.movToCr4(HypervisorScript.state().cr4() | ControlBits.CR4_PGE);
            s.invlpg(0x7000);
            s.wrmsr(Msr.IA32_STAR, 3);
            s.out(0x80, 1, 9);
            s.vmcall();
        }));
        configured().runs(l2).then(s -> {
            put(s, VmcbField.INTERCEPT_EXCEPTION, 1 << GuestException.UD);
            put(s, VmcbField.INTERCEPT_MISC1, SvmIntercepts.IOIO | SvmIntercepts.MSR);
            put(s, VmcbField.INTERCEPT_MISC2, SvmIntercepts.VMRUN);
            put(s, VmcbField.IOPM_BASE_PA, IOPM);
            put(s, VmcbField.MSRPM_BASE_PA, MSRPM);
        });
        expectExit(Vmcb.VMEXIT_EXCP + GuestException.UD);
        expect(VmcbField.RIP, 5);
        expect(VmcbField.CR4, HypervisorScript.state().cr4() | ControlBits.CR4_PGE);
        run();
    }

    @Test
    @DisplayName("V13 N05 VMSAVE, STGI and CLGI of L2 that L1 does not intercept L0 executes as L1's: RAX is an address of L1")
    void ownInstructionsOfL2() {
        GuestState l2 = new GuestState(new InnerGuest(s -> {
            s.wrmsr(Msr.IA32_LSTAR, 0x3333_3000);
            s.svm(ExitReason.CLGI, 0);
            s.svm(ExitReason.STGI, 0);
            s.svm(ExitReason.VMSAVE, 0x50_0000);
        }));
        nested().runs(l2).then(s -> {
            TABLES.identity(s);
            s.store(TABLES.leaf(0x500), 8, 0x60_0000 | PWU);
        });
        expectExit(Vmcb.VMEXIT_VMMCALL);
        l1.then(s -> s.load(0x50_0000 + VmcbField.LSTAR.offset(), 8)).then(s -> assertThat(l1.rax()).isEqualTo(0x3333_3000));
        run();
    }

    @Test
    @DisplayName("V13 V_INTR_MASKING without the intercept of INTR is not modelled, and stops the machine with a line that says so")
    void notModelled() {
        configured().runs(new GuestState(new InnerGuest(s -> {}))).then(s -> {
            put(s, VmcbField.V_INTR, 0x100_0000);
            vmrun(s);
        });
        assertThatThrownBy(this::run).isInstanceOf(MachineException.class).hasMessageContaining("not modelled");
    }

    @Test
    @DisplayName("V13 VMSAVE and VMLOAD move FS, GS, the system-call MSRs and those of SYSENTER between the processor and a VMCB")
    void loadAndSave() {
        on().then(s -> {
            s.wrmsr(Msr.IA32_FS_BASE, 0x1111_1000);
            s.wrmsr(Msr.IA32_KERNEL_GS_BASE, 0x2222_2000);
            s.wrmsr(Msr.IA32_LSTAR, 0x3333_3000);
            s.wrmsr(Msr.IA32_SYSENTER_EIP, 0x4444_4000);
            s.svm(ExitReason.VMSAVE, VMCB);
        });
        l1.then(s -> s.load(VMCB + VmcbField.FS.offset() + 8, 8)).then(s -> assertThat(l1.rax()).isEqualTo(0x1111_1000));
        expect(VmcbField.KERNEL_GS_BASE, 0x2222_2000);
        expect(VmcbField.LSTAR, 0x3333_3000);
        expect(VmcbField.SYSENTER_EIP, 0x4444_4000);
        l1.then(s -> {
            put(s, VmcbField.LSTAR, 0x5555_5000);
            s.svm(ExitReason.VMLOAD, VMCB);
            put(s, VmcbField.LSTAR, 0);
            s.svm(ExitReason.VMSAVE, VMCB);
        });
        expect(VmcbField.LSTAR, 0x5555_5000);
        run();
    }
}
