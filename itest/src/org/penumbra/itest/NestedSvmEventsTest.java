package org.penumbra.itest;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.penumbra.api.cpu.Msr;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.svm.SvmIntercepts;
import org.penumbra.api.svm.Vmcb;
import org.penumbra.api.svm.VmcbField;
import org.penumbra.api.vmx.ExitReason;

/** Events of a guest whose hypervisor has SVM: interrupts, GIF, injection (APM vol. 2, "Interrupt and Exception Virtualization", "Event Injection"). */
class NestedSvmEventsTest extends SvmHypervisor {
    /** L1 with RFLAGS.IF = 1. */
    private List<Integer> interruptible() {
        List<Integer> vectors = new ArrayList<>();
        l1.handles(vectors).then(s -> {
            interrupt(0x50);
            s.stiHlt();
        }).then(s -> assertThat(vectors).containsExactly(0x50));
        return vectors;
    }

    private void interrupt(int vector) {
        running.interrupts().msi(0xfee0_0000L, vector);
    }

    @Test
    @DisplayName("V13 N05 a HLT and an interrupt that L1 does not intercept are L2's: the vCPU waits, and L2 takes the interrupt that wakes it")
    void haltAndInterrupt() {
        List<Integer> vectors = interruptible();
        List<Integer> ofL2 = new ArrayList<>();
        InnerGuest program = new InnerGuest(s -> {
            interrupt(0x51);
            s.stiHlt();
            s.load(0x5000, 8);
        });
        configured().runs(new GuestState(program.handles(ofL2)));
        expectExit(Vmcb.VMEXIT_VMMCALL);
        l1.then(s -> {
            assertThat(ofL2).containsExactly(0x51);
            assertThat(vectors).as("L1's").containsExactly(0x50);
        });
        run();
    }

    @Test
    @DisplayName("V13 N05 EVENTINJ is delivered to L2 with its error code and VMCB12's CR2, and is valid no more after the exit; RAX and CR2 are L2's")
    void injection() {
        InnerGuest program = new InnerGuest(s -> s.load(VMCB + VmcbField.ASID.offset(), 4));
        configured().runs(new GuestState(program)).then(s -> {
            put(s, VmcbField.EVENTINJ, 0x6_8000_0b0eL);
            put(s, VmcbField.CR2, 0x1234_5000);
            put(s, VmcbField.RAX, 0x77);
        });
        l1.then(SvmHypervisor::vmrun).then(s -> {
            assertThat(l1.rax()).as("L1's RAX").isEqualTo(VMCB);
            assertThat(program.faults()).isEqualTo("12345000 6");
        });
        expect(VmcbField.EXITCODE, Vmcb.VMEXIT_VMMCALL);
        expect(VmcbField.EVENTINJ, 0x6_0000_0b0eL);
        expect(VmcbField.RAX, 1);
        expect(VmcbField.CR2, 0x1234_5000);
        expect(VmcbField.EXITINTINFO, 0);
        run();
    }

    @Test
    @DisplayName("V13 while GIF is 0 an interrupt is held back whatever RFLAGS.IF, and taken at STGI")
    void globalInterruptFlag() {
        List<Integer> vectors = interruptible();
        on().then(s -> {
            s.svm(ExitReason.CLGI, 0);
            s.load(0x5000, 8);
        }).then(s -> {
            interrupt(0x51);
            s.load(0x5000, 8);
            s.load(0x5000, 8);
        }).then(s -> {
            assertThat(vectors).containsExactly(0x50);
            s.svm(ExitReason.STGI, 0);
            s.load(0x5000, 8);
        }).then(s -> {
            assertThat(vectors).containsExactly(0x50, 0x51);
            s.svm(ExitReason.CLGI, 0);
        }).then(s -> {
            interrupt(0x52);
            s.load(0x5000, 8);
        }).then(s -> {
            assertThat(vectors).containsExactly(0x50, 0x51);
            s.wrmsr(Msr.IA32_EFER, HypervisorScript.state().efer());
            s.load(0x5000, 8);
        }).then(s -> assertThat(vectors).as("without SVM GIF is 1").containsExactly(0x50, 0x51, 0x52));
        run();
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource({"an NMI, 0x80000281, 2", "a software interrupt, 0x80000480, 0x80", "an external interrupt, 0x80000061, 0x61"})
    @DisplayName("V13 N05 EVENTINJ delivers NMIs, whose vector field is ignored, and interrupts to L2 whatever its RFLAGS.IF; it is valid no more after the exit")
    void interruptsInjected(String what, String event, String vector) {
        List<Integer> ofL2 = new ArrayList<>();
        configured().runs(new GuestState(new InnerGuest(s -> s.load(0x5000, 8)).handles(ofL2)))
                .then(s -> put(s, VmcbField.EVENTINJ, Long.decode(event)));
        expectExit(Vmcb.VMEXIT_VMMCALL);
        expect(VmcbField.EVENTINJ, Long.decode(event) & 0x7fff_ffffL);
        expect(VmcbField.EXITINTINFO, 0);
        l1.then(s -> assertThat(ofL2).containsExactly(Integer.decode(vector)));
        run();
    }

    @ParameterizedTest(name = "V_INTR {0}: {1}")
    @CsvSource({"0x5000030100, true", "0x5000030102, true", "0x5000030103, false", "0x500013010f, true", "0x5000030000, false"})
    @DisplayName("V13 N05 a virtual interrupt is L2's if V_IRQ is 1 and its priority above V_TPR or V_IGN_TPR is 1; V_IRQ is 0 then")
    void virtualInterrupts(String field, boolean taken) {
        List<Integer> ofL2 = new ArrayList<>();
        long control = Long.decode(field);
        configured().runs(new GuestState(new InnerGuest(s -> s.load(0x5000, 8)).handles(ofL2))).then(s -> {
            put(s, VmcbField.RFLAGS, 0x202);
            put(s, VmcbField.V_INTR, control);
        });
        expectExit(Vmcb.VMEXIT_VMMCALL);
        expect(VmcbField.V_INTR, taken ? control & ~0x100L : control);
        l1.then(s -> assertThat(ofL2).isEqualTo(taken ? List.of(0x50) : List.of()));
        run();
    }

    @Test
    @DisplayName("V13 N05 a virtual interrupt waits until L2's RFLAGS.IF is 1, and ends its HLT then")
    void virtualInterruptWaits() {
        List<Integer> ofL2 = new ArrayList<>();
        configured().runs(new GuestState(new InnerGuest(s -> {
            s.load(0x5000, 8);
            s.stiHlt();
            s.load(0x5000, 8);
        }).handles(ofL2))).then(s -> put(s, VmcbField.V_INTR, 0x50_000f_0100L));
        expectExit(Vmcb.VMEXIT_VMMCALL);
        l1.then(s -> assertThat(ofL2).containsExactly(0x50));
        run();
    }

    @Test
    @DisplayName("V13 N05 with the intercept of VINTR L1 is told before L2 takes a virtual interrupt, as soon as L2 is open to it; V_IRQ stays 1")
    void virtualInterruptIntercepted() {
        List<Integer> ofL2 = new ArrayList<>();
        configured().runs(new GuestState(new InnerGuest(s -> {
            s.load(0x5000, 8);
            s.stiHlt();
        }).handles(ofL2))).then(s -> {
            put(s, VmcbField.INTERCEPT_MISC1, SvmIntercepts.bit(Vmcb.VMEXIT_VINTR));
            put(s, VmcbField.V_INTR, 0x50_000f_0100L);
        });
        expectExit(Vmcb.VMEXIT_VINTR);
        expect(VmcbField.V_INTR, 0x50_000f_0100L);
        l1.then(s -> assertThat(ofL2).isEmpty());
        run();
    }

    @ParameterizedTest(name = "intercepted: {0}, masked by L1's flag: {1}")
    @CsvSource({"true, true, 0x60", "true, false, 0x81", "false, false, 0x81"})
    @DisplayName("V13 N05 an interrupt for L1 while L2 runs is an exit if L1 intercepts it and the flag that masks it is 1; L1 takes it at STGI, GIF being 0")
    void interruptsExit(boolean intercepted, boolean byHost, String code) {
        List<Integer> vectors = interruptible();
        configured().runs(new GuestState(new InnerGuest(s -> {
            interrupt(0x51);
            s.load(0x5000, 8);
            s.load(0x5000, 8);
        }))).then(s -> {
            put(s, VmcbField.INTERCEPT_MISC1, intercepted ? SvmIntercepts.INTR : 0);
            put(s, VmcbField.V_INTR, byHost ? 1 << 24 : 0);
        });
        expectExit(Integer.decode(code));
        l1.then(s -> {
            assertThat(vectors).as("GIF is 0 after #VMEXIT").containsExactly(0x50);
            s.svm(ExitReason.STGI, 0);
            s.load(0x5000, 8);
        }).then(s -> assertThat(vectors).containsExactly(0x50, 0x51));
        run();
    }
}
