package org.penumbra.itest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.penumbra.itest.HypervisorScript.VMCS;
import static org.penumbra.itest.HypervisorScript.VMXON;

import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.osgi.test.common.annotation.InjectService;
import org.penumbra.api.clock.CostProfiles;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.guest.StepBuffer;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.machine.MachineFactory;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.EptViolation;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.api.vmx.VmcsField;
import org.penumbra.api.vmx.VmcsRegion;
import org.penumbra.api.vmx.VmxControls;

/** What a guest that is a hypervisor sees of VMX: its instructions, its guest's exits (SDM vol. 3, "VMX Instruction Reference", "VM Exits"). */
class NestedVmxTest {
    private static final long MEMORY = 16 << 20;
    private static final long VMXE = HypervisorScript.state().cr4() | ControlBits.CR4_VMXE;
    /** An EPT table that maps nothing, the tables that it can be the root of, and an EPTP for it. */
    private static final long EPT = 0x20_0000;
    private static final long LEAF = 0x37;
    private static final InnerTables TABLES = new InnerTables(EPT, LEAF);
    private static final long EPTP = EPT | 6 | 3 << 3;

    @InjectService(filter = "(machine.kind=vmx)")
    MachineFactory vmx;

    @InjectService
    CostProfiles profiles;

    private final HypervisorScript l1 = new HypervisorScript();

    private Machine run(String design, boolean shadowVmcs) {
        MachineConfig config = new MachineConfig(MEMORY, 1, Trial.skylake(profiles), design, Map.of(), false).withShadowVmcs(shadowVmcs);
        try (Machine machine = vmx.create(config, l1)) {
            return Trial.finish(machine);
        }
    }

    private HypervisorScript on() {
        return l1.then(s -> {
            s.movToCr4(VMXE);
            s.vmx(ExitReason.VMXON, VMXON);
        });
    }

    private HypervisorScript loaded() {
        return on().then(s -> {
            s.vmx(ExitReason.VMCLEAR, VMCS);
            s.vmx(ExitReason.VMPTRLD, VMCS);
        });
    }

    /** VMfailInvalid. */
    private void failsInvalid(Consumer<StepBuffer> instruction) {
        l1.then(instruction).then(s -> assertThat(l1.status()).as("CF alone").isEqualTo(ControlBits.RFLAGS_CF));
    }

    /** VMfailValid with {@code error}. */
    private void fails(int error, Consumer<StepBuffer> instruction) {
        l1.then(instruction).then(s -> {
            assertThat(l1.status()).as("ZF alone, for error %d", error).isEqualTo(ControlBits.RFLAGS_ZF);
            s.vmread(VmcsField.VM_INSTRUCTION_ERROR);
        }).then(s -> assertThat(l1.rax()).isEqualTo(error));
    }

    private void succeeds(Consumer<StepBuffer> instruction) {
        l1.then(instruction).then(s -> assertThat(l1.status()).isZero());
    }

    @Test
    @DisplayName("N07 VMXON is #UD while CR4.VMXE is 0, and every other VMX instruction until VMXON")
    void undefined() {
        l1.then(s -> s.vmx(ExitReason.VMXON, VMXON));
        assertThatThrownBy(() -> run("ept", false)).isInstanceOf(MachineException.class).hasMessageContaining("#UD");
        for (ExitReason i : new ExitReason[] {ExitReason.VMXOFF, ExitReason.VMCLEAR, ExitReason.VMPTRLD, ExitReason.VMLAUNCH, ExitReason.VMRESUME}) {
            l1.then(s -> s.movToCr4(VMXE)).then(s -> s.vmx(i, VMCS));
            assertThatThrownBy(() -> run("ept", false)).as("%s", i).isInstanceOf(MachineException.class).hasMessageContaining("#UD");
        }
    }

    @ParameterizedTest(name = "with VMCS shadowing: {0}")
    @ValueSource(booleans = {false, true})
    @DisplayName("N07 VMX instructions fail with the SDM's error numbers: VMfailInvalid without a current VMCS, VMfailValid with one")
    void errors(boolean shadowVmcs) {
        on();
        failsInvalid(s -> s.vmx(ExitReason.VMPTRLD, VMXON));
        failsInvalid(s -> s.vmx(ExitReason.VMPTRLD, VMCS + 8));
        failsInvalid(s -> s.vmread(VmcsField.GUEST_CR3));
        failsInvalid(s -> s.vmx(ExitReason.VMLAUNCH, 0));
        succeeds(s -> s.vmx(ExitReason.VMCLEAR, VMCS));
        succeeds(s -> s.vmx(ExitReason.VMPTRLD, VMCS));
        fails(2, s -> s.vmx(ExitReason.VMCLEAR, VMCS + 8));
        fails(3, s -> s.vmx(ExitReason.VMCLEAR, VMXON));
        fails(5, s -> s.vmx(ExitReason.VMRESUME, 0));
        fails(8, s -> s.vmx(ExitReason.VMLAUNCH, 0));
        fails(9, s -> s.vmx(ExitReason.VMPTRLD, 1L << 46));
        fails(10, s -> s.vmx(ExitReason.VMPTRLD, VMXON));
        fails(11, s -> s.vmx(ExitReason.VMPTRLD, VMCS + 0x1000));
        fails(13, s -> s.vmwrite(VmcsField.VM_EXIT_REASON, 1));
        fails(15, s -> s.vmx(ExitReason.VMXON, VMXON));
        fails(28, s -> s.invept(3, EPTP));
        fails(28, s -> s.invept(1, EPTP | 0x80));
        succeeds(s -> s.invept(2, 0));
        run("ept", shadowVmcs);
    }

    @Test
    @DisplayName("N07 VMREAD finds what VMWRITE has left, also after another VMCS was current meanwhile; a field holds as many bits as it has")
    void fields() {
        loaded();
        succeeds(s -> {
            s.vmwrite(VmcsField.GUEST_CR3, 0x1234_5678_9abc_d000L);
            s.vmwrite(VmcsField.VIRTUAL_PROCESSOR_ID, 0x12345);
            s.store(VMCS + 0x1000, 8, VmcsRegion.REVISION);
            s.vmx(ExitReason.VMPTRLD, VMCS + 0x1000);
            s.vmwrite(VmcsField.GUEST_CR3, 7);
            s.vmx(ExitReason.VMPTRLD, VMCS);
            s.vmread(VmcsField.GUEST_CR3);
        });
        l1.then(s -> {
            assertThat(l1.rax()).isEqualTo(0x1234_5678_9abc_d000L);
            s.vmread(VmcsField.VIRTUAL_PROCESSOR_ID);
        }).then(s -> assertThat(l1.rax()).isEqualTo(0x2345));
        run("shadow", false);
    }

    @ParameterizedTest(name = "with VMCS shadowing: {0}")
    @CsvSource({"false, 40", "true, 0"})
    @DisplayName("N08 VMREAD and VMWRITE exit each, and none does with VMCS shadowing")
    void shadowing(boolean shadowVmcs, long exits) {
        loaded().then(s -> {
            for (int i = 0; i < 20; i++) {
                s.vmwrite(VmcsField.GUEST_CR3, i);
                s.vmread(VmcsField.GUEST_CR3);
            }
        });
        Machine machine = run("ept", shadowVmcs);
        long counted = machine.exits().rows().stream()
                .filter(r -> r.reason() == ExitReason.VMREAD || r.reason() == ExitReason.VMWRITE).mapToLong(r -> r.samples()).sum();
        assertThat(counted).isEqualTo(exits);
    }

    @Test
    @DisplayName("N07 a VM entry with a control that is not allowed, or on EPT tables under a design without nested paging, fails with error 7")
    void controls() {
        loaded();
        configure(VmxControls.ENABLE_EPT, EPTP | 0x80);
        fails(7, s -> s.vmx(ExitReason.VMLAUNCH, 0));
        l1.then(s -> s.vmwrite(VmcsField.SECONDARY_VM_EXEC_CONTROL, VmxControls.ENABLE_VPID));
        fails(7, s -> s.vmx(ExitReason.VMLAUNCH, 0));
        l1.then(s -> s.vmwrite(VmcsField.SECONDARY_VM_EXEC_CONTROL, VmxControls.UNRESTRICTED_GUEST));
        fails(7, s -> s.vmx(ExitReason.VMLAUNCH, 0));
        run("ept", true);
        loaded();
        configure(VmxControls.ENABLE_EPT, EPTP);
        fails(7, s -> s.vmx(ExitReason.VMLAUNCH, 0));
        run("shadow", true);
    }

    @Test
    @DisplayName("N07 a guest state that is not allowed is an exit with reason 33 and bit 31 set, and leaves the VMCS clear")
    void guestState() {
        loaded().runs(new GuestState(new InnerGuest(s -> {})));
        configure(0, 0);
        l1.then(s -> {
            s.vmwrite(VmcsField.GUEST_CR4, 1L << 31);
            s.vmx(ExitReason.VMLAUNCH, 0);
            s.vmread(VmcsField.VM_EXIT_REASON);
        }).then(s -> assertThat(l1.rax()).isEqualTo(0x8000_0021L));
        fails(5, s -> s.vmx(ExitReason.VMRESUME, 0));
        run("ept", true);
    }

    @Test
    @DisplayName("N05 an EPT violation of L2 reaches L1 with the address, the access, and what EPT12 allows; L2 repeats the access after VMRESUME")
    void violation() {
        loaded().runs(new GuestState(new InnerGuest(s -> s.store(0x5018, 8, 77))));
        configure(VmxControls.ENABLE_EPT, EPTP);
        // L2 has the tables of L1, at the same addresses, and nothing else.
        l1.then(s -> {
            TABLES.upper(s, 1);
            for (long frame = 1; frame <= 3; frame++) {
                TABLES.map(s, frame);
            }
            s.vmx(ExitReason.VMLAUNCH, 0);
            s.vmread(VmcsField.VM_EXIT_REASON);
        }).then(s -> {
            assertThat(l1.rax()).isEqualTo(ExitReason.EPT_VIOLATION.number());
            s.vmread(VmcsField.EXIT_QUALIFICATION);
        }).then(s -> {
            assertThat(l1.rax() & 0x1ff).isEqualTo(EptViolation.WRITE | EptViolation.LINEAR_VALID | EptViolation.FINAL_ACCESS);
            s.vmread(VmcsField.GUEST_LINEAR_ADDRESS);
        }).then(s -> {
            assertThat(l1.rax()).isEqualTo(0x5018);
            s.vmread(VmcsField.GUEST_PHYSICAL_ADDRESS);
        }).then(s -> {
            assertThat(l1.rax()).isEqualTo(0x5018);
            s.store(TABLES.leaf(5), 8, 0x30_0000 | LEAF);
            s.vmx(ExitReason.VMRESUME, 0);
            s.vmread(VmcsField.VM_EXIT_REASON);
        }).then(s -> {
            assertThat(l1.rax()).as("the end of L2").isEqualTo(ExitReason.VMCALL.number());
            s.load(0x30_0018, 8);
        }).then(s -> assertThat(l1.rax()).isEqualTo(77));
        run("ept", true);
    }

    @ParameterizedTest(name = "{0}")
    @ValueSource(strings = {"shadow", "ept"})
    @DisplayName("N01 N02 N05 without EPT of its own L1 owns what L2 does by its controls: CR3 loads, INVLPG, #PF, HLT, VMCALL, with the SDM's information")
    void reflected(String design) {
        GuestState l2 = new GuestState(new InnerGuest(s -> {
            s.movToCr3(0x1000);
            s.invlpg(0x7000);
            s.hlt();
            s.load(0x7f_ffff_f000L, 8);
        }));
        loaded().runs(l2);
        configure(0, 0);
        l1.then(s -> {
            s.vmwrite(VmcsField.CPU_BASED_VM_EXEC_CONTROL,
                    VmxControls.CR3_LOAD_EXITING | VmxControls.INVLPG_EXITING | VmxControls.HLT_EXITING);
            s.vmwrite(VmcsField.EXCEPTION_BITMAP, 1 << 14);
            s.vmx(ExitReason.VMLAUNCH, 0);
            s.vmread(VmcsField.VM_EXIT_REASON);
        });
        expect(ExitReason.CR_ACCESS, VmcsField.EXIT_QUALIFICATION, 3);
        skip(1);
        expect(ExitReason.INVLPG, VmcsField.EXIT_QUALIFICATION, 0x7000);
        skip(2);
        expect(ExitReason.HLT, VmcsField.EXIT_QUALIFICATION, 0);
        skip(3);
        expect(ExitReason.EXCEPTION_NMI, VmcsField.EXIT_QUALIFICATION, 0x7f_ffff_f000L);
        l1.then(s -> s.vmread(VmcsField.VM_EXIT_INTR_INFO)).then(s -> {
            assertThat(l1.rax()).isEqualTo(0x8000_0b0eL);
            s.vmread(VmcsField.VM_EXIT_INTR_ERROR_CODE);
        }).then(s -> assertThat(l1.rax()).as("a supervisor read of what is not present").isZero());
        skip(4);
        expect(ExitReason.VMCALL, VmcsField.GUEST_RIP, 0);
        run(design, true);
        assertThat(l2.batches).isEqualTo(2);
    }

    @Test
    @DisplayName("N05 an exception that L1 injects is delivered to L2 with its error code, CR2 being what L1 has left there")
    void injection() {
        InnerGuest program = new InnerGuest(s -> s.load(0x5000, 8));
        loaded().runs(new GuestState(program));
        configure(0, 0);
        l1.then(s -> {
            s.vmwrite(VmcsField.VM_ENTRY_INTR_INFO_FIELD, 0x8000_0b0eL);
            s.vmwrite(VmcsField.VM_ENTRY_EXCEPTION_ERROR_CODE, 6);
            s.movToCr2(0x1234_5000);
            s.vmx(ExitReason.VMLAUNCH, 0);
            s.vmread(VmcsField.VM_ENTRY_INTR_INFO_FIELD);
        }).then(s -> {
            assertThat(l1.rax() & 0x8000_0000L).as("valid bit after the exit").isZero();
            assertThat(program.faults()).isEqualTo("12345000 6");
        });
        run("ept", true);
    }

    @ParameterizedTest(name = "L1 with EPT: {1}, under {0}: {2} references")
    @CsvSource({"ept, true, 24", "ept, false, 24", "shadow, false, 4"})
    @DisplayName("N01 N02 N03 a walk of L2 without caches takes 24 references on EPT, be L1's tables shadow tables or EPT tables, and 4 on shadow tables of shadow tables")
    void references(String design, boolean ept, long expected) {
        long page = 0x40_0000;
        loaded().runs(new GuestState(new InnerGuest(s -> {
            s.load(page, 8);
            s.vmcall();
            s.load(page, 8);
        })));
        configure(ept ? VmxControls.ENABLE_EPT : 0, EPTP);
        long[] before = new long[2];
        Machine[] machine = new Machine[1];
        l1.then(s -> {
            // L2's linear addresses are mapped by 4 KiB: four levels.
            long table = 0x30_0000;
            s.store(table, 8, page | 3);
            s.store(0x3000 + 8 * 2, 8, table | 3);
            TABLES.identity(s);
            s.vmx(ExitReason.VMLAUNCH, 0);
            // What L2 had cached is dropped: linear mappings by the transition, guest-physical ones by INVEPT.
            s.invept(2, 0);
            s.vmwrite(VmcsField.GUEST_RIP, 2);
        }).then(s -> {
            before[0] = machine[0].translation().completedReferences();
            before[1] = machine[0].translation().completedWalks();
            s.vmx(ExitReason.VMRESUME, 0);
        }).then(s -> {
            assertThat(machine[0].translation().completedWalks() - before[1]).isEqualTo(1);
            assertThat(machine[0].translation().completedReferences() - before[0]).isEqualTo(expected);
        });
        MachineConfig config = new MachineConfig(MEMORY, 1, Trial.withoutCaches(profiles, Trial.skylake(profiles)), design, Map.of(), false);
        try (Machine m = vmx.create(config, l1)) {
            machine[0] = m;
            Trial.finish(m);
        }
    }

    private void expect(ExitReason reason, VmcsField field, long value) {
        l1.then(s -> {
            assertThat(l1.rax()).as("exit reason").isEqualTo(reason.number());
            s.vmread(field);
        }).then(s -> assertThat(l1.rax()).as("%s at %s", field, reason).isEqualTo(value));
    }

    /** L1 has done what the instruction at step {@code number} − 1 of L2 wanted. */
    private void skip(long number) {
        l1.then(s -> s.vmread(VmcsField.GUEST_RIP)).then(s -> {
            assertThat(l1.rax()).isEqualTo(number - 1);
            s.vmwrite(VmcsField.GUEST_RIP, number);
            s.vmx(ExitReason.VMRESUME, 0);
            s.vmread(VmcsField.VM_EXIT_REASON);
        });
    }

    /** The fields of a VMCS with which an L2 runs that is in L1's paging state. */
    private void configure(long secondary, long eptp) {
        PagingState host = HypervisorScript.state();
        l1.then(s -> {
            s.vmwrite(VmcsField.CPU_BASED_VM_EXEC_CONTROL, VmxControls.ACTIVATE_SECONDARY);
            s.vmwrite(VmcsField.SECONDARY_VM_EXEC_CONTROL, secondary);
            s.vmwrite(VmcsField.EPT_POINTER, eptp);
            s.vmwrite(VmcsField.HOST_CR0, host.cr0());
            s.vmwrite(VmcsField.HOST_CR3, host.cr3());
            s.vmwrite(VmcsField.HOST_CR4, VMXE);
            s.vmwrite(VmcsField.GUEST_CR0, host.cr0());
            s.vmwrite(VmcsField.GUEST_CR3, host.cr3());
            s.vmwrite(VmcsField.GUEST_CR4, host.cr4());
        });
    }
}
