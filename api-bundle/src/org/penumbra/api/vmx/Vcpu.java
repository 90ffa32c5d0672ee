package org.penumbra.api.vmx;

import org.osgi.annotation.versioning.ProviderType;
import org.penumbra.api.cpu.ExecutionEngine;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.device.IoPorts;
import org.penumbra.api.interrupt.Interrupts;
import org.penumbra.api.interrupt.LocalApic;
import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.mmu.ControlDemand;
import org.penumbra.api.mmu.MmuContext;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.observe.Counters;
import org.penumbra.api.observe.Tracing;
import org.penumbra.api.paging.PagingState;

/** A virtual processor as exit handlers see it. Used by the thread that runs it. */
@ProviderType
public interface Vcpu {
    /** Number within its machine, from 0. */
    int id();

    /** Architectural registers. */
    RegisterFile registers();

    /** The MMU's state for this vCPU; another object after a swap, so never kept. */
    MmuContext mmu();

    ExecutionEngine engine();

    VmxProcessor processor();

    Vmcs vmcs();

    /** The machine's I/O ports. */
    IoPorts ports();

    /** The local APIC. */
    LocalApic localApic();

    /** The machine's interrupts. */
    Interrupts interrupts();

    /** The machine's counters. */
    Counters counters();

    /** The way to tell what is done for this vCPU. */
    Tracing.Tracer tracer();

    /** Guest memory as the hypervisor reaches it, charged to this vCPU. */
    GuestMemory guestMemory();

    /** What the MMU asks of the controls. */
    ControlDemand controlDemand();

    /** The guest's MAXPHYADDR. */
    int physicalAddressBits();

    /** Bits of the guest's linear addresses: 48, or 57 with 5-level paging. CPUID.80000008H:EAX[15:8]. */
    int linearAddressBits();

    /**
     * Makes {@code state} the guest's paging state: registers, MMU root, real control registers. The caller has checked that
     * the guest may load it.
     *
     * @param keepPcid no flush of the address space was asked for (MOV to CR3 with bit 63)
     */
    void loadPaging(PagingState state, boolean keepPcid);

    /** Injects a #PF with the next entry. */
    void injectPageFault(long gva, int errorCode);

    /** Injects #GP(0) with the next entry. */
    void injectGeneralProtection();

    /**
     * The guest's hypercall {@link org.penumbra.api.guest.Hypercall#CR3_SLOT}: keeps the slot at {@code gpa} for {@code guestCr3}, or
     * gives it up if {@code gpa} is 0.
     *
     * @return false if no memory is there that could be written, or {@code gpa} is not aligned
     */
    boolean cr3Slot(long guestCr3, long gpa);

    /** Executes the VMX instruction at which the engine stopped, for a guest that is a hypervisor itself, and retires it. */
    Disposition vmxInstruction();

    /** Executes the instruction of SVM at which the engine stopped, for a guest that is a hypervisor itself, and retires it. */
    Disposition svmInstruction();

    /** VMFUNC of a guest of the guest, which switches to other EPT tables of its hypervisor's. KVM: {@code handle_vmfunc}. */
    Disposition vmFunction();

    /** The guest runs by SVM, and has its instructions: it may be a hypervisor by SVM, and CPUID says so. */
    boolean hasSvm();

    /** True if there is nested paging for it, by EPT or nested tables of its own. */
    boolean nests();

    /** VM_HSAVE_PA of a guest that has SVM; what a write gives up is nothing, since what the host is stays with the machine. */
    long hostSaveArea();

    /** Sets it; answers false if {@code gpa} is #GP: not aligned to 4 KiB, or beyond the physical-address width. */
    boolean hostSaveArea(long gpa);

    /**
     * The guest that runs is one of the guest's, and {@code fault} is an EPT violation, misconfiguration or nested page fault for that hypervisor
     * to see: leaves to it.
     */
    void exitToGuestHypervisor(MmuFault fault);

    /**
     * What CR0 or CR4, number {@code cr}, becomes by a MOV of {@code value}: a guest hypervisor's bits stay as they are while its guest runs.
     */
    long controlled(int cr, long value);

    /** The vCPU runs no further operation until an interrupt is pending for it. KVM: {@code kvm_vcpu_halt}. */
    void halt();

    /**
     * Emulates the operation at which the engine stopped, by the hypervisor's own walk and stores, and retires it; or injects
     * the page fault that the emulation met. Writes reach write tracking and the MMU.
     */
    Disposition emulate();
}
