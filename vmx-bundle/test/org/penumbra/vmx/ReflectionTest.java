package org.penumbra.vmx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.reflect.Proxy;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.penumbra.api.cpu.GuestOperation.Kind;
import org.penumbra.api.cpu.Msr;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.interrupt.Interrupts;
import org.penumbra.api.interrupt.InterruptsFactory;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.api.vmx.VmcsField;
import org.penumbra.api.vmx.VmcsRegion;
import org.penumbra.api.vmx.VmxControls;
import org.penumbra.ept.EptMmuFactory;
import org.penumbra.hardware.cpu.LogicalProcessorFactory;
import org.penumbra.shadow.ShadowMmuFactory;
import org.penumbra.vmx.exit.CpuidExit;
import org.penumbra.vmx.exit.InterruptWindowExit;
import org.penumbra.vmx.exit.MsrReadExit;

/**
 * Each line of the table of exits in the bundle's README: which exits of L2 its hypervisor sees (SDM vol. 3, "Instructions That Cause VM Exits",
 * "Other Causes of VM Exits"), and that it sees them with the qualification that they have.
 */
class ReflectionTest {
    private static final long VMXON = 0x10_0000;
    private static final long VMCS = 0x10_1000;
    private static final PagingState STATE = PagingState.longMode(0x1000);
    private static final int VMCALL = ExitReason.VMCALL.number();
    private static final long WP = ControlBits.CR0_WP;

    private final GuestState l1 = new GuestState(null);
    private final GuestState l2 = new GuestState(null);
    private TwoGuestsEngine engine = new TwoGuestsEngine(l1);
    private boolean pending;

    /** Makes the L2 of one line, under L1's controls. */
    private interface Line {
        void of(ReflectionTest t);
    }

    private record Case(String name, Line line, ExitReason expected, long qualification) {}

    private void control(VmcsField field, long value) {
        engine.vmwrite(l1, field, value);
    }

    private void primary(long controls) {
        control(VmcsField.CPU_BASED_VM_EXEC_CONTROL, controls);
    }

    private static Stream<Case> cases() {
        long cr0 = STATE.cr0();
        return Stream.of(
                new Case("#GP in the exception bitmap", t -> {
                    t.control(VmcsField.EXCEPTION_BITMAP, 1 << 13);
                    t.engine.then(t.l2, Kind.MOV_TO_CR4, 1L << 31, cpu -> cpu.movToCr4(1L << 31));
                }, ExitReason.EXCEPTION_NMI, 0),
                new Case("#GP out of it is L2's", t -> t.engine.then(t.l2, Kind.MOV_TO_CR4, 1L << 31, cpu -> cpu.movToCr4(1L << 31)), null, 0),
                new Case("#PF in the exception bitmap", t -> {
                    t.control(VmcsField.EXCEPTION_BITMAP, 1 << 14);
                    t.engine.access(t.l2, Kind.LOAD, 0x7f_ffff_f000L, 0);
                }, ExitReason.EXCEPTION_NMI, 0x7f_ffff_f000L),
                new Case("#PF out of it is L2's", t -> t.engine.access(t.l2, Kind.LOAD, 0x7f_ffff_f000L, 0), null, 0),
                new Case("MOV to CR3 with CR3-load exiting", t -> {
                    t.primary(VmxControls.CR3_LOAD_EXITING);
                    t.engine.then(t.l2, Kind.MOV_TO_CR3, 0x1000, cpu -> cpu.movToCr3(0x1000));
                }, ExitReason.CR_ACCESS, 3),
                new Case("MOV to CR3 without", t -> t.engine.then(t.l2, Kind.MOV_TO_CR3, 0x1000, cpu -> cpu.movToCr3(0x1000)), null, 0),
                new Case("MOV to CR0 that differs from the read shadow in a bit of the mask", t -> {
                    t.control(VmcsField.CR0_GUEST_HOST_MASK, WP);
                    t.control(VmcsField.CR0_READ_SHADOW, 0);
                    t.engine.then(t.l2, Kind.MOV_TO_CR0, cr0 | WP, cpu -> cpu.movToCr0(cr0 | WP));
                }, ExitReason.CR_ACCESS, 0),
                new Case("MOV to CR0 that does not differ there", t -> {
                    t.control(VmcsField.CR0_GUEST_HOST_MASK, WP);
                    t.control(VmcsField.CR0_READ_SHADOW, WP);
                    t.engine.then(t.l2, Kind.MOV_TO_CR0, cr0 | WP, cpu -> cpu.movToCr0(cr0 | WP));
                }, null, 0),
                new Case("MOV to CR4 that differs from the read shadow in a bit of the mask", t -> {
                    t.control(VmcsField.CR4_GUEST_HOST_MASK, ControlBits.CR4_SMEP);
                    t.engine.then(t.l2, Kind.MOV_TO_CR4, STATE.cr4() | ControlBits.CR4_SMEP, cpu -> cpu.movToCr4(STATE.cr4() | ControlBits.CR4_SMEP));
                }, ExitReason.CR_ACCESS, 4),
                new Case("MOV to CR4 of other bits", t -> {
                    t.control(VmcsField.CR4_GUEST_HOST_MASK, ControlBits.CR4_SMEP);
                    t.engine.then(t.l2, Kind.MOV_TO_CR4, STATE.cr4() | ControlBits.CR4_PGE, cpu -> cpu.movToCr4(STATE.cr4() | ControlBits.CR4_PGE));
                }, null, 0),
                new Case("INVLPG with INVLPG exiting", t -> {
                    t.primary(VmxControls.INVLPG_EXITING);
                    t.engine.then(t.l2, Kind.INVLPG, 0x7000, cpu -> cpu.invlpg(0x7000));
                }, ExitReason.INVLPG, 0x7000),
                new Case("INVLPG without", t -> t.engine.then(t.l2, Kind.INVLPG, 0x7000, cpu -> cpu.invlpg(0x7000)), null, 0),
                new Case("INVPCID with INVLPG exiting and enable INVPCID", t -> {
                    t.primary(VmxControls.INVLPG_EXITING | VmxControls.ACTIVATE_SECONDARY);
                    t.control(VmcsField.SECONDARY_VM_EXEC_CONTROL, VmxControls.ENABLE_INVPCID);
                    t.engine.then(t.l2, Kind.INVPCID, 0, cpu -> cpu.invpcid(2, 0, 0));
                }, ExitReason.INVPCID, 0),
                new Case("INVPCID with enable INVPCID alone", t -> {
                    t.primary(VmxControls.ACTIVATE_SECONDARY);
                    t.control(VmcsField.SECONDARY_VM_EXEC_CONTROL, VmxControls.ENABLE_INVPCID);
                    t.engine.then(t.l2, Kind.INVPCID, 0, cpu -> cpu.invpcid(2, 0, 0));
                }, null, 0),
                new Case("HLT with HLT exiting", t -> {
                    t.primary(VmxControls.HLT_EXITING);
                    t.engine.then(t.l2, Kind.HLT, 0, cpu -> cpu.hlt());
                }, ExitReason.HLT, 0),
                new Case("IN with unconditional I/O exiting", t -> {
                    t.primary(VmxControls.UNCONDITIONAL_IO_EXITING);
                    t.engine.then(t.l2, Kind.IN, 0, cpu -> cpu.in(0x60, 1));
                }, ExitReason.IO_INSTRUCTION, 0x60_0008L),
                new Case("IN without", t -> t.engine.then(t.l2, Kind.IN, 0, cpu -> cpu.in(0x60, 1)), null, 0),
                new Case("RDMSR", t -> t.engine.then(t.l2, Kind.RDMSR, 0, cpu -> cpu.rdmsr(Msr.IA32_EFER)), ExitReason.MSR_READ, 0),
                new Case("WRMSR", t -> t.engine.then(t.l2, Kind.WRMSR, 0, cpu -> cpu.wrmsr(Msr.IA32_EFER, 0)), ExitReason.MSR_WRITE, 0),
                new Case("CPUID", t -> t.engine.then(t.l2, Kind.CPUID, 0, cpu -> cpu.cpuid()), ExitReason.CPUID, 0),
                new Case("VMCALL", t -> { }, null, 0),
                new Case("a triple fault", t -> t.engine.then(t.l2, Kind.SHUTDOWN, 0, cpu -> cpu.tripleFault()), ExitReason.TRIPLE_FAULT, 0),
                vmx(ExitReason.VMXON), vmx(ExitReason.VMXOFF), vmx(ExitReason.VMCLEAR), vmx(ExitReason.VMPTRLD), vmx(ExitReason.VMREAD),
                vmx(ExitReason.VMWRITE), vmx(ExitReason.VMLAUNCH), vmx(ExitReason.VMRESUME), vmx(ExitReason.INVEPT), vmx(ExitReason.INVVPID),
                new Case("an external interrupt that is pending, with external-interrupt exiting", t -> {
                    t.control(VmcsField.PIN_BASED_VM_EXEC_CONTROL, VmxControls.PIN_EXTERNAL_INTERRUPT);
                    t.engine.then(t.l1, Kind.LOAD, 0, cpu -> t.comes());
                }, ExitReason.EXTERNAL_INTERRUPT, 0),
                new Case("an external interrupt without, and the window it waits for",
                        t -> t.engine.then(t.l1, Kind.LOAD, 0, cpu -> t.comes()).then(t.l2, Kind.LOAD, 0, cpu -> 0), null, 0));
    }

    private static Case vmx(ExitReason instruction) {
        return new Case(instruction.toString(), t -> t.engine.vmx(t.l2, instruction, 0, 0), instruction, 0);
    }

    private int comes() {
        pending = true;
        return 0;
    }

    @TestFactory
    @DisplayName("N05 the table of exits, line by line")
    Stream<DynamicTest> lines() {
        return Stream.of("shadow", "ept").flatMap(design -> cases().map(c -> DynamicTest.dynamicTest(
                "N05 under " + design + ": " + c.name + (c.expected == null ? " is no exit to L1" : " is " + c.expected + " to L1"),
                () -> new ReflectionTest().check(design, c))));
    }

    private void check(String design, Case c) {
        setUp();
        c.line.of(this);
        engine.then(l2, Kind.VMCALL, 0, cpu -> cpu.vmcall());
        engine.vmx(l1, ExitReason.VMLAUNCH, 0, 0);
        for (VmcsField field : List.of(VmcsField.VM_EXIT_REASON, VmcsField.EXIT_QUALIFICATION, VmcsField.VM_EXIT_INTR_INFO)) {
            engine.vmx(l1, ExitReason.VMREAD, field.encoding(), 0);
        }
        run(design);
        assertThat(engine.read.get(0)).as("exit reason").isEqualTo(c.expected == null ? VMCALL : c.expected.number());
        if (c.expected != null) {
            assertThat(engine.read.get(1)).as("exit qualification").isEqualTo(c.qualification);
            assertThat(engine.read.get(2) >>> 31).as("valid interruption information").isEqualTo(c.expected == ExitReason.EXCEPTION_NMI ? 1 : 0);
        }
    }

    @Test
    @DisplayName("N05 HLT of L2 without HLT exiting halts the vCPU, with L2 in it")
    void halts() {
        setUp();
        engine.then(l2, Kind.HLT, 0, cpu -> cpu.hlt());
        engine.vmx(l1, ExitReason.VMLAUNCH, 0, 0);
        engine.vmx(l1, ExitReason.VMREAD, VmcsField.VM_EXIT_REASON.encoding(), 0);
        assertThatThrownBy(() -> run("ept")).isInstanceOf(MachineException.class).hasMessageContaining("halted");
        assertThat(engine.runs()).isSameAs(l2);
        assertThat(engine.read).isEmpty();
    }

    @Test
    @DisplayName("N05 a misconfigured entry of EPT12 is an EPT misconfiguration to L1, with the address and without a qualification")
    void misconfigured() {
        setUp();
        long ept = 0x20_0000;
        for (int i = 0; i < 2; i++) {
            engine.access(l1, Kind.STORE, ept + 0x1000 * i, ept + 0x1000 * (i + 1) | 7);
        }
        // L2 has L1's tables, below 2 MiB; a page directory entry with W and without R.
        engine.access(l1, Kind.STORE, ept + 0x2000, 0xb7);
        engine.access(l1, Kind.STORE, ept + 0x2008, 0x20_0000 | 0xb2);
        primary(VmxControls.ACTIVATE_SECONDARY);
        control(VmcsField.SECONDARY_VM_EXEC_CONTROL, VmxControls.ENABLE_EPT);
        control(VmcsField.EPT_POINTER, ept | 6 | 3 << 3);
        engine.access(l2, Kind.LOAD, 0x20_5018, 0);
        engine.vmx(l1, ExitReason.VMLAUNCH, 0, 0);
        for (VmcsField field : List.of(VmcsField.VM_EXIT_REASON, VmcsField.EXIT_QUALIFICATION, VmcsField.GUEST_PHYSICAL_ADDRESS)) {
            engine.vmx(l1, ExitReason.VMREAD, field.encoding(), 0);
        }
        run("ept");
        assertThat(engine.read).containsExactly((long) ExitReason.EPT_MISCONFIG.number(), 0L, 0x20_5018L);
    }

    private void setUp() {
        engine.useVmcs12(l1, STATE, VMXON, VMCS);
    }

    private void run(String design) {
        Rig rig = new Rig();
        rig.dispatch.add(new InterruptWindowExit(), 0, List.of("INTERRUPT_WINDOW"));
        rig.dispatch.add(new CpuidExit(), 0, List.of("CPUID"));
        rig.dispatch.add(new MsrReadExit(), 0, List.of("MSR_READ"));
        rig.design(design, design.equals("ept") ? new EptMmuFactory() : new ShadowMmuFactory());
        MachineConfig config = new MachineConfig(Rig.MEMORY, 1, Rig.SKYLAKE, design, Map.of(), false);
        rig.engine(config.engine(), state -> engine);
        InterruptsFactory interrupts = (vcpus, target, name) -> (Interrupts) Proxy.newProxyInstance(
                getClass().getClassLoader(), new Class<?>[] {Interrupts.class}, (proxy, method, arguments) ->
                        method.getReturnType() == boolean.class ? (Object) (method.getName().equals("pending") && pending)
                                : method.getReturnType() == int.class ? -1 : null);
        VirtualMachine.Parts parts = new VirtualMachine.Parts(
                new LogicalProcessorFactory(), () -> rig.new Ports(), interrupts, rig.dispatch, rig.designs, rig.engines, rig.registry);
        VirtualMachine machine = new VirtualMachine(config, (loader, registers, bytes) -> {
            loader.store64(0x1000, 0x2003);
            loader.store64(0x2000, 0x3003);
            loader.store64(0x3000, 0x83);
            loader.store64(0x3008, 0x20_0083);
            loader.store64(VMXON, VmcsRegion.REVISION);
            loader.store64(VMCS, VmcsRegion.REVISION);
            registers[0].paging = STATE;
            registers[0].cpl = 0;
            l1.guests.put(VMCS, l2);
            return new GuestState[] {l1};
        }, parts, rig.memory, null);
        for (int n = 0; n < 50 && machine.run(1_000); n++) {
            // To the end of L1, or until L2 waits.
        }
    }
}
