package org.penumbra.itest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.osgi.test.common.annotation.InjectService;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.clock.CostProfiles;
import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.cpu.Msr;
import org.penumbra.api.guest.GuestProgram;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.guest.StepBuffer;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.machine.MachineFactory;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.NestedPageFault;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.svm.SvmIntercepts;
import org.penumbra.api.svm.Vmcb;
import org.penumbra.api.svm.VmcbField;
import org.penumbra.api.vmx.ExitReason;

/** What a guest that is a hypervisor sees of SVM: its instructions, its guest's exits (APM vol. 2, "Secure Virtual Machine"). */
class NestedSvmTest {
    private static final long MEMORY = 16 << 20;
    private static final long VMCB = HypervisorScript.VMCS;
    private static final long HSAVE = HypervisorScript.VMXON;
    private static final long EFER = HypervisorScript.state().efer() | ControlBits.EFER_SVME;
    /** A nested table that maps nothing. */
    private static final long NPT = 0x20_0000;
    private static final long IOPM = 0x24_0000;
    private static final long MSRPM = 0x24_4000;
    /** P, R/W and U/S. */
    private static final long PWU = 7;

    @InjectService(filter = "(machine.kind=vmx)")
    MachineFactory vmx;

    @InjectService
    CostProfiles profiles;

    private final HypervisorScript l1 = new HypervisorScript();
    private Machine running;

    private CostProfile zen() {
        return profiles.all().stream().filter(p -> p.name().equals("zen3")).findFirst().orElseThrow();
    }

    private Machine run() {
        return run("npt", zen(), Map.of());
    }

    private Machine run(String design, CostProfile hardware, Map<String, String> settings) {
        MachineConfig config = new MachineConfig(MEMORY, 1, hardware, design, settings, false);
        try (Machine machine = vmx.create(config, l1)) {
            running = machine;
            return Trial.finish(machine);
        }
    }

    private HypervisorScript on() {
        return l1.then(s -> {
            s.wrmsr(Msr.IA32_EFER, EFER);
            s.wrmsr(Msr.VM_HSAVE_PA, HSAVE);
        });
    }

    private static void put(StepBuffer s, VmcbField field, long value) {
        s.store(VMCB + field.offset(), field.bytes(), value);
    }

    private static void vmrun(StepBuffer s) {
        s.svm(ExitReason.VMRUN, VMCB);
    }

    private void expect(VmcbField field, long value) {
        l1.then(s -> s.load(VMCB + field.offset(), field.bytes())).then(s -> assertThat(l1.rax()).as("%s", field).isEqualTo(value));
    }

    private void expectExit(int code) {
        l1.then(NestedSvmTest::vmrun);
        expect(VmcbField.EXITCODE, code);
    }

    /** A VMCB with which an L2 runs that is in L1's paging state, with ASID 1, and whose VMMCALL ends it. */
    private HypervisorScript configured() {
        PagingState host = HypervisorScript.state();
        return on().then(s -> {
            put(s, VmcbField.INTERCEPT_CR, 0);
            put(s, VmcbField.INTERCEPT_MISC2, SvmIntercepts.VMRUN | SvmIntercepts.VMMCALL);
            put(s, VmcbField.ASID, 1);
            put(s, VmcbField.EFER, EFER);
            put(s, VmcbField.CR0, host.cr0());
            put(s, VmcbField.CR3, host.cr3());
            put(s, VmcbField.CR4, host.cr4());
            put(s, VmcbField.RFLAGS, 2);
        });
    }

    private HypervisorScript nested() {
        return configured().then(s -> {
            put(s, VmcbField.NP_ENABLE, 1);
            put(s, VmcbField.N_CR3, NPT);
        });
    }

    /** Nested tables that map the first 8 MiB of L2 where they are in L1, by 4 KiB. */
    private static void identity(StepBuffer s) {
        s.store(NPT, 8, NPT + 0x1000 | PWU);
        s.store(NPT + 0x1000, 8, NPT + 0x2000 | PWU);
        for (long t = 0; t < 4; t++) {
            s.store(NPT + 0x2000 + 8 * t, 8, NPT + 0x3000 + (t << 12) | PWU);
            for (long i = 0; i < 512; i++) {
                s.store(leaf(t << 9 | i), 8, (t << 9 | i) << 12 | PWU);
            }
        }
    }

    /** Where the leaf for {@code gfn} of L2 is. */
    private static long leaf(long gfn) {
        return NPT + 0x3000 + 8 * gfn;
    }

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
        l1.then(s -> s.wrmsr(Msr.IA32_EFER, EFER)).then(NestedSvmTest::vmrun);
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
        nested().runs(new GuestState(new Steps(s -> {})));
        l1.then(s -> put(s, field, Long.decode(value)));
        expectExit(Vmcb.VMEXIT_INVALID);
        assertThat(run().counters().get("nested_run")).isZero();
    }

    @Test
    @DisplayName("N04 N05 a nested page fault of L2 reaches L1 with EXITINFO1 and EXITINFO2 as by NPT12; L2 repeats the access after VMRUN")
    void nestedPageFault() {
        nested().runs(new GuestState(new Steps(s -> s.store(0x5018, 8, 77))));
        // L2 has the tables of L1, at the same addresses, and nothing else.
        l1.then(s -> {
            s.store(NPT, 8, NPT + 0x1000 | PWU);
            s.store(NPT + 0x1000, 8, NPT + 0x2000 | PWU);
            s.store(NPT + 0x2000, 8, NPT + 0x3000 | PWU);
            for (long frame = 2; frame <= 3; frame++) {
                s.store(leaf(frame), 8, frame << 12 | PWU);
            }
        });
        expectExit(Vmcb.VMEXIT_NPF);
        expect(VmcbField.EXITINFO1, NestedPageFault.USER | NestedPageFault.WRITE | NestedPageFault.TABLE_WALK);
        expect(VmcbField.EXITINFO2, 0x1000);
        l1.then(s -> s.store(leaf(1), 8, 1 << 12 | PWU));
        expectExit(Vmcb.VMEXIT_NPF);
        expect(VmcbField.EXITINFO1, NestedPageFault.USER | NestedPageFault.WRITE | NestedPageFault.FINAL_ADDRESS);
        expect(VmcbField.EXITINFO2, 0x5018);
        l1.then(s -> s.store(leaf(5), 8, 0x30_0000 | 5));
        expectExit(Vmcb.VMEXIT_NPF);
        expect(VmcbField.EXITINFO1,
                NestedPageFault.PRESENT | NestedPageFault.USER | NestedPageFault.WRITE | NestedPageFault.FINAL_ADDRESS);
        l1.then(s -> s.store(leaf(5), 8, 0x30_0000 | PWU | 1L << 51));
        expectExit(Vmcb.VMEXIT_NPF);
        expect(VmcbField.EXITINFO1, NestedPageFault.PRESENT | NestedPageFault.RESERVED | NestedPageFault.USER | NestedPageFault.WRITE
                | NestedPageFault.FINAL_ADDRESS);
        l1.then(s -> s.store(leaf(5), 8, 0x30_0000 | PWU));
        expectExit(Vmcb.VMEXIT_VMMCALL);
        l1.then(s -> s.load(0x30_0018, 8)).then(s -> assertThat(l1.rax()).isEqualTo(77));
        Machine machine = run();
        assertThat(machine.counters().get("nested_exits_reflected")).isEqualTo(5);
        assertThat(machine.counters().get("nested_exits")).as("L0 has served some by itself").isGreaterThan(5);
    }

    @Test
    @DisplayName("N04 N05 a nested page fault that NPT12 allows is L0's alone: it maps the page, and L1 sees nothing")
    void handled() {
        nested().runs(new GuestState(new Steps(s -> s.store(0x40_0000, 8, 5))));
        l1.then(NestedSvmTest::identity);
        expectExit(Vmcb.VMEXIT_VMMCALL);
        Machine machine = run();
        assertThat(machine.counters().get("nested_exits_reflected")).isEqualTo(1);
        assertThat(machine.counters().get("nested_exits")).isGreaterThan(1);
    }

    @Test
    @DisplayName("V13 N02 N05 what L1 intercepts it sees, with SVM's codes and information: writes of CR0, CR3 and CR4, INVLPG, HLT, I/O, MSRs, SVM's instructions, #PF, VMMCALL")
    void reflected() {
        GuestState l2 = new GuestState(new Steps(s -> {
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
        GuestState l2 = new GuestState(new Steps(s -> {
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
        GuestState l2 = new GuestState(new Steps(s -> {
            s.wrmsr(Msr.IA32_LSTAR, 0x3333_3000);
            s.svm(ExitReason.CLGI, 0);
            s.svm(ExitReason.STGI, 0);
            s.svm(ExitReason.VMSAVE, 0x50_0000);
        }));
        nested().runs(l2).then(s -> {
            identity(s);
            s.store(leaf(0x500), 8, 0x60_0000 | PWU);
        });
        expectExit(Vmcb.VMEXIT_VMMCALL);
        l1.then(s -> s.load(0x50_0000 + VmcbField.LSTAR.offset(), 8)).then(s -> assertThat(l1.rax()).isEqualTo(0x3333_3000));
        run();
    }

    @Test
    @DisplayName("N04 N05 a write of L2 to a table of NPT12 that is shadowed is emulated: the entry is there, and L1 sees no exit")
    void emulated() {
        long unused = NPT + 0x2000 + 8 * 3;
        nested().runs(new GuestState(new Steps(s -> {
            s.load(0x40_0000, 8);
            s.store(unused, 8, 0x1234_5000);
        })));
        l1.then(NestedSvmTest::identity);
        long[] before = new long[1];
        l1.then(s -> before[0] = running.counters().get("insn_emulation"));
        expectExit(Vmcb.VMEXIT_VMMCALL);
        l1.then(s -> {
            assertThat(running.counters().get("insn_emulation")).isGreaterThan(before[0]);
            s.load(unused, 8);
        }).then(s -> assertThat(l1.rax()).isEqualTo(0x1234_5000));
        assertThat(run().counters().get("nested_exits_reflected")).isEqualTo(1);
    }

    @Test
    @DisplayName("V13 N05 a HLT and an interrupt that L1 does not intercept are L2's: the vCPU waits, and L2 takes the interrupt that wakes it")
    void haltAndInterrupt() {
        List<Integer> vectors = interruptible();
        Steps program = new Steps(s -> {
            interrupt(0x51);
            s.stiHlt();
            s.load(0x5000, 8);
        });
        configured().runs(new GuestState(program));
        expectExit(Vmcb.VMEXIT_VMMCALL);
        l1.then(s -> {
            assertThat(program.interrupts).containsExactly(0x51);
            assertThat(vectors).as("L1's").containsExactly(0x50);
        });
        run();
    }

    @Test
    @DisplayName("V13 N05 EVENTINJ is delivered to L2 with its error code and VMCB12's CR2, and is valid no more after the exit; RAX and CR2 are L2's")
    void injection() {
        Steps program = new Steps(s -> s.load(VMCB + VmcbField.ASID.offset(), 4));
        configured().runs(new GuestState(program)).then(s -> {
            put(s, VmcbField.EVENTINJ, 0x6_8000_0b0eL);
            put(s, VmcbField.CR2, 0x1234_5000);
            put(s, VmcbField.RAX, 0x77);
        });
        l1.then(NestedSvmTest::vmrun).then(s -> {
            assertThat(l1.rax()).as("L1's RAX").isEqualTo(VMCB);
            assertThat(program.faults).isEqualTo("12345000 6");
        });
        expect(VmcbField.EXITCODE, Vmcb.VMEXIT_VMMCALL);
        expect(VmcbField.EVENTINJ, 0x6_0000_0b0eL);
        expect(VmcbField.RAX, 1);
        expect(VmcbField.CR2, 0x1234_5000);
        expect(VmcbField.EXITINTINFO, 0);
        run();
    }

    @ParameterizedTest(name = "TLB_CONTROL {0}, ASID {1}: new {2}")
    @CsvSource({"0, 1, false", "1, 1, true", "3, 1, true", "7, 1, true", "0, 2, true"})
    @DisplayName("V13 N04 what L1 has changed in NPT12 counts after a flush by TLB_CONTROL, and under an ASID that has nothing cached")
    void flushes(int control, int asid, boolean fresh) {
        nested().runs(new GuestState(new Steps(s -> {
            s.load(0x40_0000, 8);
            s.vmcall();
            s.load(0x40_0000, 8);
        })));
        l1.then(s -> {
            identity(s);
            s.store(0x50_0000, 8, 55);
            s.store(0x40_0000, 8, 44);
        });
        expectExit(Vmcb.VMEXIT_VMMCALL);
        expect(VmcbField.RAX, 44);
        l1.then(s -> {
            s.store(leaf(0x400), 8, 0x50_0000 | PWU | 0x60);
            put(s, VmcbField.TLB_CONTROL, control);
            put(s, VmcbField.ASID, asid);
            put(s, VmcbField.RIP, 2);
        });
        expectExit(Vmcb.VMEXIT_VMMCALL);
        expect(VmcbField.RAX, fresh ? 55 : 44);
        run();
    }

    @ParameterizedTest(name = "{0} = {1}")
    @CsvSource({"V_INTR, 0x100", "V_INTR, 0x1000000", "EVENTINJ, 0x80000202", "EVENTINJ, 0x80000480"})
    @DisplayName("V13 what VMCB12 asks for and is not modelled stops the machine with a line that says so: virtual interrupts, NMIs, software interrupts")
    void notModelled(VmcbField field, String value) {
        configured().runs(new GuestState(new Steps(s -> {}))).then(s -> {
            put(s, field, Long.decode(value));
            vmrun(s);
        });
        assertThatThrownBy(this::run).isInstanceOf(MachineException.class).hasMessageContaining("not modelled");
    }

    @ParameterizedTest(name = "INVLPGA of ASID {0}: new {1}")
    @CsvSource({"1, true", "2, false", "0, false"})
    @DisplayName("V13 INVLPGA drops one page of the ASID that it names: what L1 has changed in L2's shadow tables counts then")
    void invlpga(int asid, boolean fresh) {
        long page = 0x40_0000;
        configured().runs(new GuestState(new Steps(s -> {
            s.load(page, 8);
            s.vmcall();
            s.load(page, 8);
        })));
        l1.then(s -> {
            // L2 runs on tables that L1 has for it.
            s.store(0x30_0000, 8, 0x30_1000 | PWU);
            s.store(0x30_1000, 8, 0x30_2000 | PWU);
            s.store(0x30_2000 + 8 * 2, 8, 0x30_3000 | PWU);
            s.store(0x30_3000, 8, page | PWU);
            s.store(page, 8, 44);
            s.store(0x50_0000, 8, 55);
            put(s, VmcbField.CR3, 0x30_0000);
        });
        expectExit(Vmcb.VMEXIT_VMMCALL);
        expect(VmcbField.RAX, 44);
        l1.then(s -> {
            s.store(0x30_3000, 8, 0x50_0000 | PWU);
            s.invlpga(page, asid);
            put(s, VmcbField.RIP, 2);
        });
        expectExit(Vmcb.VMEXIT_VMMCALL);
        expect(VmcbField.RAX, fresh ? 55 : 44);
        run();
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

    @ParameterizedTest(name = "intercepted: {0}, masked by L1's flag: {1}")
    @CsvSource({"true, true, 0x60", "true, false, 0x81", "false, false, 0x81"})
    @DisplayName("V13 N05 an interrupt for L1 while L2 runs is an exit if L1 intercepts it and the flag that masks it is 1; L1 takes it at STGI, GIF being 0")
    void interruptsExit(boolean intercepted, boolean byHost, String code) {
        List<Integer> vectors = interruptible();
        configured().runs(new GuestState(new Steps(s -> {
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

    @ParameterizedTest(name = "L1 with nested paging: {0}, NPT of {1} levels: {2} references")
    @CsvSource({"true, 4, 24", "false, 4, 24", "true, 5, 29", "false, 5, 29"})
    @DisplayName("N02 N04 a walk of L2 without caches takes 24 references on NPT of 4 levels, 29 of 5, be L1's tables shadow tables or nested tables")
    void references(boolean nestedPaging, int levels, long expected) {
        long page = 0x40_0000;
        if (nestedPaging) {
            nested();
        } else {
            configured();
        }
        l1.runs(new GuestState(new Steps(s -> {
            s.load(page, 8);
            s.vmcall();
            s.load(page, 8);
        }))).then(s -> {
            // L2's linear addresses are mapped by 4 KiB: four levels.
            s.store(0x30_0000, 8, page | 3);
            s.store(0x3000 + 8 * 2, 8, 0x30_0000 | 3);
            identity(s);
            vmrun(s);
            put(s, VmcbField.TLB_CONTROL, Vmcb.TLB_FLUSH_ASID);
            put(s, VmcbField.RIP, 2);
        });
        long[] before = new long[2];
        l1.then(s -> {
            before[0] = running.translation().completedReferences();
            before[1] = running.translation().completedWalks();
            vmrun(s);
        }).then(s -> {
            assertThat(running.translation().completedWalks() - before[1]).isEqualTo(1);
            assertThat(running.translation().completedReferences() - before[0]).isEqualTo(expected);
        });
        CostProfile hardware = levels == 5 ? Trial.hardware(profiles, PagingMode.FIVE_LEVEL) : zen();
        run("npt", withoutCaches(hardware), Map.of("npt.levels", Integer.toString(levels)));
    }

    /** A processor on which no reference of a walk spares the next one. */
    private CostProfile withoutCaches(CostProfile hardware) {
        Map<String, Long> none = new TreeMap<>();
        for (CostProfile.Figure f : hardware.figures()) {
            if (f.key().matches("(ept-)?paging-structure-cache\\..*\\.entries|nested-tlb\\.entries")) {
                none.put(f.key(), 0L);
            }
        }
        return profiles.with(hardware, none);
    }

    /** An L2 that does one batch, and calls its hypervisor then. */
    private static final class Steps implements GuestProgram {
        private final Consumer<StepBuffer> first;
        private int batch;
        private String faults = "";
        private final List<Integer> interrupts = new ArrayList<>();

        Steps(Consumer<StepBuffer> first) {
            this.first = first;
        }

        @Override
        public boolean refill(StepBuffer steps) {
            if (batch++ == 0) {
                first.accept(steps);
            } else {
                steps.vmcall();
            }
            return true;
        }

        @Override
        public void pageFault(long cr2, int errorCode, boolean user, StepBuffer handler) {
            faults += Long.toHexString(cr2) + " " + errorCode;
        }

        @Override
        public void interrupt(int vector, StepBuffer handler) {
            interrupts.add(vector);
            handler.wrmsr(Msr.X2APIC_EOI, 0);
        }
    }
}
