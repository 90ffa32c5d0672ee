package org.penumbra.vmx;

import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.cpu.EngineFactory;
import org.penumbra.api.cpu.ExecutionEngine;
import org.penumbra.api.device.IoPorts;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.interrupt.Interrupts;
import org.penumbra.api.interrupt.InterruptTarget;
import org.penumbra.api.interrupt.InterruptsFactory;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.mmu.MmuFactory;
import org.penumbra.api.observe.TranslationChecker;
import org.penumbra.api.paging.PagingState;
import org.penumbra.hardware.cpu.LogicalProcessorFactory;
import org.penumbra.hardware.profile.JsonCostProfiles;
import org.penumbra.vmx.exit.CrAccessExit;
import org.penumbra.vmx.exit.EptMisconfigExit;
import org.penumbra.vmx.exit.EptViolationExit;
import org.penumbra.vmx.exit.ExternalInterruptExit;
import org.penumbra.vmx.exit.HaltExit;
import org.penumbra.vmx.exit.InvlpgExit;
import org.penumbra.vmx.exit.InvpcidExit;
import org.penumbra.vmx.exit.IoExit;
import org.penumbra.vmx.exit.MsrWriteExit;
import org.penumbra.vmx.exit.NestedPageFaultExit;
import org.penumbra.vmx.exit.PageFaultExit;
import org.penumbra.vmx.exit.PmlFullExit;
import org.penumbra.vmx.exit.SppEventExit;
import org.penumbra.vmx.exit.SvmInstructionExit;
import org.penumbra.vmx.exit.VmFunctionExit;
import org.penumbra.vmx.exit.VmcallExit;
import org.penumbra.vmx.exit.VmxInstructionExit;
import org.penumbra.vmx.memory.HostMemory;

/** A hypervisor without a container: designs and engines are put in by hand, and guests are engines with a script. */
final class Rig {
    static final CostProfile SKYLAKE =
            new JsonCostProfiles().all().stream().filter(p -> p.name().equals("skylake")).findFirst().orElseThrow();
    static final PagingState STATE = PagingState.longMode(0x1000);
    static final long MEMORY = 4 << 20;

    final MachineRegistry registry = new MachineRegistry();
    final MmuPlugins designs = new MmuPlugins(registry);
    final Engines engines = new Engines(registry);
    final ExitDispatch dispatch = new ExitDispatch(registry);
    final HostMemory memory;
    final List<Long> out = new ArrayList<>();
    private int number;

    /** Writes that reached the bus, and whether something there takes them. */
    final List<String> signalled = new ArrayList<>();
    boolean devices;
    /** Watches every translation; null for nobody. */
    TranslationChecker checker;
    /** Writes guest memory before the guest runs. */
    Consumer<GuestBoot.Loader> image = loader -> {};

    Rig() {
        this(MEMORY, 1);
    }

    /** A rig whose machine has {@code bytes} of memory on host pages of {@code pageLevel}. */
    Rig(long bytes, int pageLevel) {
        memory = new HostMemory(bytes, pageLevel, false);
        dispatch.add(new PageFaultExit(), 0, List.of("EXCEPTION_NMI"));
        dispatch.add(new CrAccessExit(), 0, List.of("CR_ACCESS"));
        dispatch.add(new EptMisconfigExit(), 0, List.of("EPT_MISCONFIG"));
        dispatch.add(new EptViolationExit(), 0, List.of("EPT_VIOLATION"));
        dispatch.add(new NestedPageFaultExit(), 0, List.of("NPF"));
        dispatch.add(new ExternalInterruptExit(), 0, List.of("EXTERNAL_INTERRUPT"));
        dispatch.add(new InvlpgExit(), 0, List.of("INVLPG"));
        dispatch.add(new InvpcidExit(), 0, List.of("INVPCID"));
        dispatch.add(new MsrWriteExit(), 0, List.of("MSR_WRITE"));
        dispatch.add(new IoExit(), 0, List.of("IO_INSTRUCTION"));
        dispatch.add(new HaltExit(), 0, List.of("HLT"));
        dispatch.add(new PmlFullExit(), 0, List.of("PML_FULL"));
        dispatch.add(new SppEventExit(), 0, List.of("SPP_EVENT"));
        dispatch.add(new VmFunctionExit(), 0, List.of("VMFUNC"));
        dispatch.add(new VmcallExit(), 0, List.of("VMCALL"));
        dispatch.add(new VmxInstructionExit(), 0, List.of("VMXON", "VMXOFF", "VMCLEAR", "VMPTRLD", "VMREAD", "VMWRITE", "VMLAUNCH", "VMRESUME",
                "INVEPT", "INVVPID"));
        dispatch.add(new SvmInstructionExit(), 0, List.of("VMRUN", "VMLOAD", "VMSAVE", "STGI", "CLGI", "INVLPGA"));
    }

    /** Adds a design; answers the id by which it is removed. */
    Object design(String name, MmuFactory factory) {
        return design(name, factory, ++number);
    }

    /** The same with a rank. */
    @SuppressWarnings("unchecked")
    Object design(String name, MmuFactory factory, Integer id) {
        designs.put(new Plugin<>((Comparable<Object>) (Comparable<?>) id, name, "test " + id, factory));
        return id;
    }

    /** Sets the engine that runs the guest on every vCPU. */
    @SuppressWarnings("unchecked")
    Object engine(String name, EngineFactory factory) {
        Integer id = ++number;
        engines.put(new Plugin<>((Comparable<Object>) (Comparable<?>) id, name, "test " + id, factory));
        return id;
    }

    /** A machine whose guest {@code guest} is. */
    VirtualMachine machine(String design, Map<String, String> settings, ExecutionEngine guest) {
        return machine(new MachineConfig(MEMORY, 1, SKYLAKE, design, settings, false), state -> guest);
    }

    /** A machine of {@code config}. */
    VirtualMachine machine(MachineConfig config, EngineFactory guest) {
        engine(config.engine(), guest);
        VirtualMachine.Parts parts = new VirtualMachine.Parts(
                new LogicalProcessorFactory(), Ports::new, new NoInterrupts(), dispatch, designs, engines, registry);
        return new VirtualMachine(config, (loader, registers, bytes) -> {
            image.accept(loader);
            GuestState[] guests = new GuestState[registers.length];
            for (int i = 0; i < guests.length; i++) {
                registers[i].paging = STATE;
                guests[i] = new GuestState(null);
            }
            return guests;
        }, parts, memory, checker);
    }

    /** A machine of {@code config} whose guest {@code l1} runs {@code l2} by the VMCS at {@code vmcs}. */
    VirtualMachine machine(MachineConfig config, GuestState l1, GuestState l2, long vmcs, ExecutionEngine guest) {
        engine(config.engine(), state -> guest);
        VirtualMachine.Parts parts = new VirtualMachine.Parts(
                new LogicalProcessorFactory(), Ports::new, new NoInterrupts(), dispatch, designs, engines, registry);
        return new VirtualMachine(config, (loader, registers, bytes) -> {
            image.accept(loader);
            registers[0].paging = STATE;
            registers[0].cpl = 0;
            l1.guests.put(vmcs, l2);
            return new GuestState[] {l1};
        }, parts, memory, checker);
    }

    /** Powered off by any write to a port. */
    final class Ports implements IoPorts {
        @Override
        public void out(int port, int width, long value) {
            out.add(value);
        }

        @Override
        public boolean signal(Bus bus, long address, int width, long value) {
            signalled.add(String.format("%s %x %d %x", bus, address, width, value));
            return devices;
        }

        @Override
        public boolean poweredOff() {
            return !out.isEmpty();
        }

        @Override
        public int exitCode() {
            return out.isEmpty() ? 0 : out.get(0).intValue();
        }
    }

    /** Nothing is ever pending. */
    static final class NoInterrupts implements InterruptsFactory {
        @Override
        public Interrupts create(int vcpus, InterruptTarget target, String name) {
            return (Interrupts) Proxy.newProxyInstance(
                    Rig.class.getClassLoader(), new Class<?>[] {Interrupts.class},
                    (proxy, method, arguments) -> method.getReturnType() == boolean.class ? false : method.getReturnType() == int.class ? -1 : null);
        }
    }
}
