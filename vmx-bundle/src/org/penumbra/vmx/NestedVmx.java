package org.penumbra.vmx;

import org.penumbra.api.clock.Work;
import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.cpu.GuestOperation;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.api.vmx.VmcsField;
import org.penumbra.api.vmx.VmcsRegion;
import org.penumbra.api.vmx.VmxControls;

/**
 * The VMX operation of one vCPU's guest, as its own VMX instructions see it, each of which exits: SDM vol. 3, "VMX Instruction Reference".
 * KVM: {@code struct nested_vmx}, {@code handle_vmon} and the others. Used by the vCPU's thread.
 */
final class NestedVmx {
    private static final long NONE = -1;
    /** VM-instruction error numbers (SDM vol. 3, "VM Instruction Error Numbers"). */
    private static final int VMCLEAR_INVALID_ADDRESS = 2;
    private static final int VMCLEAR_VMXON_POINTER = 3;
    private static final int VMLAUNCH_NOT_CLEAR = 4;
    private static final int VMRESUME_NOT_LAUNCHED = 5;
    private static final int VMPTRLD_INVALID_ADDRESS = 9;
    private static final int VMPTRLD_VMXON_POINTER = 10;
    private static final int VMPTRLD_REVISION = 11;
    private static final int UNSUPPORTED_FIELD = 12;
    private static final int READ_ONLY_FIELD = 13;
    private static final int VMXON_IN_ROOT = 15;
    private static final int INVALID_INVALIDATION = 28;

    private final VirtualCpu vcpu;
    private final boolean shadowVmcs;
    private long vmxonPointer = NONE;
    private Vmcs12 current;
    private final NestedRun run;
    /** VPID12 of the last entry. */
    private long lastVpid = NONE;

    /** @param shadowVmcs the processor has VMCS shadowing, and it is used */
    NestedVmx(VirtualCpu vcpu, boolean shadowVmcs) {
        this.vcpu = vcpu;
        this.shadowVmcs = shadowVmcs;
        this.run = new NestedRun(vcpu.counters());
    }

    /** True in VMX operation. */
    boolean on() {
        return vmxonPointer != NONE;
    }

    /** True while one runs whose hypervisor has EPT tables for it. */
    boolean withEpt() {
        return run.running() && NestedEntry.secondary(current.fields, VmxControls.ENABLE_EPT);
    }

    /** VPID12: 0 without "enable VPID". */
    long vpid() {
        return NestedEntry.secondary(current.fields, VmxControls.ENABLE_VPID) ? current.fields.get(VmcsField.VIRTUAL_PROCESSOR_ID) : 0;
    }

    /** Which of the guest and its guest runs. */
    NestedRun run() {
        return run;
    }

    /** The current VMCS12, which there is. */
    Vmcs12 vmcs12() {
        return current;
    }

    /** Executes the VMX instruction {@code operation} in the guest's stead. */
    Disposition execute(GuestOperation operation) {
        ExitReason instruction = ExitReason.of(operation.function);
        boolean off = instruction == ExitReason.VMXON ? !vcpu.registers().paging.has4(ControlBits.CR4_VMXE) : vmxonPointer == NONE;
        if (off || !vcpu.registers().paging.has0(ControlBits.CR0_PE)) {
            vcpu.events().exception(GuestException.UD, 0, 0);
            return Disposition.RESUME;
        }
        if (vcpu.registers().cpl != 0) {
            vcpu.injectGeneralProtection();
            return Disposition.RESUME;
        }
        switch (instruction) {
            case VMXON:
                finish(vmxon(operation.value));
                break;
            case VMXOFF:
                giveUpCurrent();
                vmxonPointer = NONE;
                finish(0);
                break;
            case VMCLEAR:
                finish(vmclear(operation.value));
                break;
            case VMPTRLD:
                finish(vmptrld(operation.value));
                break;
            case VMREAD:
                finish(vmread(operation.field));
                break;
            case VMWRITE:
                finish(vmwrite(operation.field, operation.value));
                break;
            case INVEPT:
                finish(invept(operation.field, operation.value));
                break;
            case INVVPID:
                finish(invvpid(operation.field, operation.value & 0xffff, operation.gva));
                break;
            default:
                enter(instruction == ExitReason.VMLAUNCH);
        }
        return Disposition.RESUME;
    }

    /** Retires the instruction with VMsucceed, or VMfail with {@code error} (SDM vol. 3, "Conventions"). */
    private void finish(int error) {
        vcpu.registers().rflags &= ~ControlBits.RFLAGS_STATUS;
        if (error != 0) {
            vcpu.registers().rflags |= current == null ? ControlBits.RFLAGS_CF : ControlBits.RFLAGS_ZF;
            if (current != null) {
                current.fields.set(VmcsField.VM_INSTRUCTION_ERROR, error);
            }
        }
        vcpu.engine().skip();
    }

    private int vmxon(long pointer) {
        if (vmxonPointer != NONE) {
            return VMXON_IN_ROOT;
        }
        if (!valid(pointer) || Vmcs12.revision(pointer, vcpu.guestMemory()) != VmcsRegion.REVISION) {
            // VMfailInvalid: there is no current VMCS yet.
            return VMXON_IN_ROOT;
        }
        vmxonPointer = pointer;
        return 0;
    }

    /** Aligned to 4 KiB, and not beyond the physical-address width. */
    private boolean valid(long pointer) {
        return (pointer & 0xfff) == 0 && pointer >>> vcpu.physicalAddressBits() == 0;
    }

    private int vmclear(long pointer) {
        if (!valid(pointer) || Vmcs12.revision(pointer, vcpu.guestMemory()) < 0) {
            return VMCLEAR_INVALID_ADDRESS;
        }
        if (pointer == vmxonPointer) {
            return VMCLEAR_VMXON_POINTER;
        }
        if (current != null && current.gpa == pointer) {
            current.launched = false;
            giveUpCurrent();
        } else {
            Vmcs12.clear(pointer, vcpu::put);
        }
        return 0;
    }

    private int vmptrld(long pointer) {
        if (!valid(pointer)) {
            return VMPTRLD_INVALID_ADDRESS;
        }
        if (pointer == vmxonPointer) {
            return VMPTRLD_VMXON_POINTER;
        }
        if (Vmcs12.revision(pointer, vcpu.guestMemory()) != VmcsRegion.REVISION) {
            return VMPTRLD_REVISION;
        }
        if (current == null || current.gpa != pointer) {
            giveUpCurrent();
            current = new Vmcs12(pointer, vcpu.guestMemory());
            vcpu.shadowVmcs(shadowVmcs ? current.fields : null);
        }
        return 0;
    }

    private void giveUpCurrent() {
        if (current != null) {
            current.write(vcpu::put);
            current = null;
            vcpu.shadowVmcs(null);
        }
    }

    /** VMfailInvalid without a current VMCS, whatever the number is then. */
    private int vmread(int encoding) {
        VmcsField field = VmcsField.of(encoding);
        if (current == null || field == null) {
            return UNSUPPORTED_FIELD;
        }
        vcpu.registers().gpr[RegisterFile.RAX] = current.fields.get(field);
        return 0;
    }

    private int vmwrite(int encoding, long value) {
        VmcsField field = VmcsField.of(encoding);
        if (current == null || field == null) {
            return UNSUPPORTED_FIELD;
        }
        if (field.readOnly()) {
            return READ_ONLY_FIELD;
        }
        current.fields.set(field, value);
        return 0;
    }

    private int invept(int type, long eptp) {
        if (type != 1 && type != 2 || type == 1 && !TranslationRoot.TwoDimensional.allowed(eptp, vcpu.physicalAddressBits())) {
            return INVALID_INVALIDATION;
        }
        vcpu.flushes().tables(type == 2, new TranslationRoot.TwoDimensional(eptp));
        return 0;
    }

    private int invvpid(int type, long vpid, long gva) {
        if (type < 0 || type > 3 || type != 2 && vpid == 0) {
            return INVALID_INVALIDATION;
        }
        vcpu.flushes().invvpid(type, (int) vpid, gva);
        return 0;
    }

    private void enter(boolean launch) {
        if (current == null) {
            finish(VMLAUNCH_NOT_CLEAR);
            return;
        }
        if (launch == current.launched) {
            finish(launch ? VMLAUNCH_NOT_CLEAR : VMRESUME_NOT_LAUNCHED);
            return;
        }
        NestedEntry entry = new NestedEntry(current.fields, vcpu);
        int error = entry.check();
        if (error != 0) {
            finish(error);
            return;
        }
        GuestState l2 = vcpu.guest().guests.get(current.gpa);
        if (l2 == null) {
            throw new MachineException(String.format("the guest enters a guest by the VMCS at 0x%x, and no guest of that VMCS is there", current.gpa));
        }
        vcpu.engine().skip();
        vcpu.clock().charge(Work.NESTED_SWITCH);
        if (!entry.guestStateAllowed()) {
            current.fields.set(VmcsField.VM_EXIT_REASON, ExitReason.INVALID_GUEST_STATE.number() | VmxControls.ENTRY_FAILURE);
            current.fields.set(VmcsField.EXIT_QUALIFICATION, 0);
            return;
        }
        current.launched = true;
        run.enter(vcpu.guest());
        l2.next = (int) current.fields.get(VmcsField.GUEST_RIP);
        long vpid = vpid();
        boolean keep = vpid != 0 && vpid == lastVpid;
        lastVpid = vpid;
        vcpu.become(l2, entry.load(), keep);
        entry.inject();
    }

    /**
     * An exit from L2 that L1 sees: what L2 is goes into VMCS12, and L1 goes on by its host state (SDM vol. 3, "VM Exits"). The caller
     * has written the exit information. KVM: nested_vmx_vmexit.
     */
    void exit(ExitReason reason) {
        vcpu.clock().charge(Work.NESTED_SWITCH);
        NestedEntry entry = new NestedEntry(current.fields, vcpu);
        entry.save();
        current.fields.set(VmcsField.VM_EXIT_REASON, reason.number());
        GuestState l1 = run.leave();
        vcpu.become(l1, entry.loadHost(), NestedEntry.secondary(current.fields, VmxControls.ENABLE_VPID));
    }
}
