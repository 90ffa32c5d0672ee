package org.penumbra.vmx;

import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.ControlRegisterRules;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.Pdptes;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.api.vmx.Vmcs;
import org.penumbra.api.vmx.VmcsField;
import org.penumbra.api.vmx.VmcsRegion;
import org.penumbra.api.vmx.VmxControls;

/**
 * What VMCS12 says of the registers: the checks of VM entry, loading and saving (SDM vol. 3, "VM Entries", "Loading Guest State", "Saving
 * Guest State", "Loading Host State"). KVM: nested_vmx_check_controls, prepare_vmcs02, sync_vmcs02_to_vmcs12, load_vmcs12_host_state.
 */
final class NestedEntry {
    private static final int INVALID_CONTROLS = 7;
    private static final int INVALID_HOST_STATE = 8;
    private static final long PROTECTED_AND_PAGED = ControlBits.CR0_PE | ControlBits.CR0_PG;
    private static final int DPL_SHIFT = 5;
    /** RFLAGS bit 1 is always 1. */
    private static final long RFLAGS_RESET = 2;

    private final VmcsRegion v;
    private final VirtualCpu vcpu;
    private final RegisterFile registers;

    NestedEntry(VmcsRegion vmcs12, VirtualCpu vcpu) {
        this.v = vmcs12;
        this.vcpu = vcpu;
        this.registers = vcpu.registers();
    }

    /** True if the secondary controls are active and {@code control} is one of them. */
    static boolean secondary(VmcsRegion v, long control) {
        return v.has(VmcsField.CPU_BASED_VM_EXEC_CONTROL, VmxControls.ACTIVATE_SECONDARY)
                && v.has(VmcsField.SECONDARY_VM_EXEC_CONTROL, control);
    }

    /** The VM-instruction error of an entry; 0 if it may go on to the guest state. */
    int check() {
        boolean ept = secondary(v, VmxControls.ENABLE_EPT);
        boolean refused = ept && !(vcpu.nests() && TranslationRoot.TwoDimensional.allowed(v.get(VmcsField.EPT_POINTER), vcpu.physicalAddressBits()))
                || !ept && secondary(v, VmxControls.UNRESTRICTED_GUEST)
                || secondary(v, VmxControls.ENABLE_PML) && !(ept && frame(VmcsField.PML_ADDRESS))
                || secondary(v, VmxControls.EPT_VIOLATION_VE) && !(ept && frame(VmcsField.VE_INFORMATION_ADDRESS))
                || secondary(v, VmxControls.ENABLE_VM_FUNCTIONS) && !functionsAllowed(ept)
                || secondary(v, VmxControls.ENABLE_VPID) && v.get(VmcsField.VIRTUAL_PROCESSOR_ID) == 0;
        if (refused) {
            return INVALID_CONTROLS;
        }
        PagingState host = hostState();
        boolean allowed = (host.cr0() & PROTECTED_AND_PAGED) == PROTECTED_AND_PAGED && host.has4(ControlBits.CR4_VMXE) && allowed(host);
        return allowed ? 0 : INVALID_HOST_STATE;
    }

    /** Of the VM functions there is EPTP switching. */
    private boolean functionsAllowed(boolean ept) {
        long functions = v.get(VmcsField.VM_FUNCTION_CONTROL);
        return functions == 0 || functions == Vmcs.EPTP_SWITCHING && ept && frame(VmcsField.EPTP_LIST_ADDRESS);
    }

    private boolean frame(VmcsField field) {
        long address = v.get(field);
        return (address & 0xfff) == 0 && address >>> vcpu.physicalAddressBits() == 0;
    }

    /** "Checks on Guest Control Registers, Debug Registers, and MSRs". */
    boolean guestStateAllowed() {
        PagingState state = guestState();
        boolean unrestricted = secondary(v, VmxControls.UNRESTRICTED_GUEST);
        return (unrestricted || (state.cr0() & PROTECTED_AND_PAGED) == PROTECTED_AND_PAGED)
                && allowed(state)
                && (state.mode() != PagingMode.PAE || state.pdptes().allowed(vcpu.physicalAddressBits()));
    }

    private boolean allowed(PagingState state) {
        return ControlRegisterRules.cr0Allowed(state.cr0(), state.cr4(), state.efer())
                && ControlRegisterRules.cr3Allowed(state.cr3(), 0, 1L << vcpu.physicalAddressBits())
                && ControlRegisterRules.cr4Allowed(state.cr4(), state.cr4(), state.cr3(), state.efer(), vcpu.linearAddressBits());
    }

    private PagingState guestState() {
        long efer = v.has(VmcsField.VM_ENTRY_CONTROLS, VmxControls.ENTRY_LOAD_EFER) ? v.get(VmcsField.GUEST_IA32_EFER) : registers.paging.efer();
        PagingState state = state(VmcsField.GUEST_CR0, VmcsField.GUEST_CR3, VmcsField.GUEST_CR4, efer);
        if (state.mode() != PagingMode.PAE) {
            return state;
        }
        // With EPT they are in the VMCS, without in memory ("Loading Page-Directory-Pointer-Table Entries").
        return secondary(v, VmxControls.ENABLE_EPT)
                ? state.withPdptes(new Pdptes(v.get(VmcsField.GUEST_PDPTR0), v.get(VmcsField.GUEST_PDPTR1), v.get(VmcsField.GUEST_PDPTR2),
                        v.get(VmcsField.GUEST_PDPTR3)))
                : SvmGuest.withRegisters(state.withPdptes(Pdptes.IN_MEMORY), vcpu.guestMemory());
    }

    private PagingState hostState() {
        long efer = v.has(VmcsField.VM_EXIT_CONTROLS, VmxControls.EXIT_LOAD_EFER) ? v.get(VmcsField.HOST_IA32_EFER) : registers.paging.efer();
        return state(VmcsField.HOST_CR0, VmcsField.HOST_CR3, VmcsField.HOST_CR4, efer);
    }

    private PagingState state(VmcsField cr0, VmcsField cr3, VmcsField cr4, long efer) {
        return new PagingState(v.get(cr0), v.get(cr3), v.get(cr4), efer, registers.paging.pkru(), registers.paging.pkrs());
    }

    /** The state to enter L2 with; the other registers are set. */
    PagingState load() {
        PagingState state = guestState();
        registers.rflags = v.get(VmcsField.GUEST_RFLAGS) | RFLAGS_RESET;
        registers.cpl = (int) (v.get(VmcsField.GUEST_SS_AR_BYTES) >>> DPL_SHIFT) & 3;
        return state;
    }

    /** The event that VMCS12 wants injected, if it wants one. L1 has put the address of a #PF into CR2, which entries do not touch. */
    void inject() {
        long info = v.get(VmcsField.VM_ENTRY_INTR_INFO_FIELD);
        if ((info & VmxControls.INTR_VALID) != 0) {
            boolean exception = (info >>> VmxControls.INTR_TYPE_SHIFT & 7) == VmxControls.INTR_HARD_EXCEPTION;
            int error = (info & VmxControls.INTR_ERROR_CODE) != 0 ? (int) v.get(VmcsField.VM_ENTRY_EXCEPTION_ERROR_CODE) : 0;
            vcpu.events().byGuest((int) info & 0xff, error, registers.cr2, !exception);
        }
    }

    /** Puts L2's registers into VMCS12; the valid bit of what was to be injected is cleared. */
    void save() {
        GuestState l2 = vcpu.guest();
        PagingState state = registers.paging;
        v.set(VmcsField.GUEST_CR0, state.cr0());
        v.set(VmcsField.GUEST_CR3, state.cr3());
        v.set(VmcsField.GUEST_CR4, state.cr4());
        v.set(VmcsField.GUEST_IA32_EFER, state.efer());
        v.set(VmcsField.GUEST_PDPTR0, state.pdptes().get(0));
        v.set(VmcsField.GUEST_PDPTR1, state.pdptes().get(1));
        v.set(VmcsField.GUEST_PDPTR2, state.pdptes().get(2));
        v.set(VmcsField.GUEST_PDPTR3, state.pdptes().get(3));
        v.set(VmcsField.GUEST_RIP, l2.next);
        v.set(VmcsField.GUEST_RFLAGS, registers.rflags);
        v.set(VmcsField.GUEST_SS_AR_BYTES, (long) registers.cpl << DPL_SHIFT);
        v.set(VmcsField.VM_ENTRY_INTR_INFO_FIELD, v.get(VmcsField.VM_ENTRY_INTR_INFO_FIELD) & ~VmxControls.INTR_VALID);
        v.set(VmcsField.VM_EXIT_INSTRUCTION_LEN, 1);
        v.set(VmcsField.IDT_VECTORING_INFO_FIELD, 0);
    }

    /** The state that L1 goes on with; the other registers are set. */
    PagingState loadHost() {
        registers.rflags = RFLAGS_RESET;
        registers.cpl = 0;
        return hostState();
    }

    /** Merges the controls of {@code vmcs12} with those in {@code vmcs}, which are what L0 wants for its own guest. KVM: prepare_vmcs02_early. */
    static void merge(VmcsRegion vmcs12, Vmcs vmcs) {
        vmcs.exceptionBitmap |= (int) vmcs12.get(VmcsField.EXCEPTION_BITMAP);
        vmcs.cr3LoadExiting |= vmcs12.has(VmcsField.CPU_BASED_VM_EXEC_CONTROL, VmxControls.CR3_LOAD_EXITING);
        vmcs.invlpgExiting |= vmcs12.has(VmcsField.CPU_BASED_VM_EXEC_CONTROL, VmxControls.INVLPG_EXITING);
        // Each function exits, to be looked at here. KVM: prepare_vmcs02_early.
        vmcs.enableVmFunctions = secondary(vmcs12, VmxControls.ENABLE_VM_FUNCTIONS);
        vmcs.vmFunctionControls = 0;
        vmcs.cr0Mask |= vmcs12.get(VmcsField.CR0_GUEST_HOST_MASK);
        vmcs.cr4Mask |= vmcs12.get(VmcsField.CR4_GUEST_HOST_MASK);
    }

    /** The read shadows that L2 sees: L1's in the bits that L1 owns. KVM: nested_read_cr0. */
    static void shadows(VmcsRegion vmcs12, PagingState state, Vmcs vmcs) {
        vmcs.cr0ReadShadow = seen(state.cr0(), vmcs12.get(VmcsField.CR0_GUEST_HOST_MASK), vmcs12.get(VmcsField.CR0_READ_SHADOW));
        vmcs.cr4ReadShadow = seen(state.cr4(), vmcs12.get(VmcsField.CR4_GUEST_HOST_MASK), vmcs12.get(VmcsField.CR4_READ_SHADOW));
    }

    /** What CR0 or CR4, number {@code cr}, of L2 in {@code now} becomes by a MOV of {@code value}: L1's bits stay as they are. */
    static long controlled(VmcsRegion vmcs12, PagingState now, int cr, long value) {
        return cr == 0 ? seen(value, vmcs12.get(VmcsField.CR0_GUEST_HOST_MASK), now.cr0())
                : seen(value, vmcs12.get(VmcsField.CR4_GUEST_HOST_MASK), now.cr4());
    }

    private static long seen(long value, long mask, long shadow) {
        return value & ~mask | shadow & mask;
    }
}
