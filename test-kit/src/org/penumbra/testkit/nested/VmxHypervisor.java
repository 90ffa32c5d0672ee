package org.penumbra.testkit.nested;

import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.api.vmx.VmcsField;
import org.penumbra.api.vmx.VmxControls;
import org.penumbra.testkit.script.Script;

/** A hypervisor by VMX: SDM vol. 3, "Virtual-Machine Control Structures" and "VMX Instructions". */
final class VmxHypervisor extends Hypervisor {
    /** What is asked of each exit, in this order. */
    private static final VmcsField[] ASKED = {VmcsField.VM_EXIT_REASON, VmcsField.GUEST_PHYSICAL_ADDRESS, VmcsField.GUEST_RIP};
    private static final int REASON = 0;
    private static final int GPA = 1;
    private static final int RIP = 2;
    private static final int RFLAGS = 2;

    private final long vmxon;
    /** Script indices: of the guest's RAX, and of the first answer to {@link #ASKED}. */
    private int kept;
    private int answers;

    VmxHypervisor(int vcpu, RegisterFile registers, long vmxon, Inner[] inners, Meddler meddler) {
        super(vcpu, registers, inners, meddler);
        this.vmxon = vmxon;
    }

    @Override
    void boot(PagingState now) {
        script.add(Script.CR4, 0, now.cr4() | ControlBits.CR4_VMXE);
        script.vmx(ExitReason.VMXON, 0, vmxon, 0);
        for (int n = inners.length - 1; n >= 0; n--) {
            current = inners[n];
            script.vmx(ExitReason.VMCLEAR, 0, current.block, 0);
            turn();
            prepare(now);
        }
    }

    private void prepare(PagingState now) {
        write(VmcsField.VM_ENTRY_CONTROLS, VmxControls.ENTRY_LOAD_EFER);
        write(VmcsField.VM_EXIT_CONTROLS, VmxControls.EXIT_LOAD_EFER);
        write(VmcsField.CPU_BASED_VM_EXEC_CONTROL, VmxControls.ACTIVATE_SECONDARY);
        controls();
        write(VmcsField.HOST_CR0, now.cr0());
        write(VmcsField.HOST_CR3, now.cr3());
        write(VmcsField.HOST_CR4, now.cr4() | ControlBits.CR4_VMXE);
        write(VmcsField.HOST_IA32_EFER, now.efer());
        PagingState l2 = current.state;
        write(VmcsField.GUEST_CR0, l2.cr0());
        write(VmcsField.GUEST_CR3, l2.cr3());
        write(VmcsField.GUEST_CR4, l2.cr4());
        write(VmcsField.GUEST_IA32_EFER, l2.efer());
        write(VmcsField.GUEST_PDPTR0, l2.pdptes().get(0));
        write(VmcsField.GUEST_PDPTR1, l2.pdptes().get(1));
        write(VmcsField.GUEST_PDPTR2, l2.pdptes().get(2));
        write(VmcsField.GUEST_PDPTR3, l2.pdptes().get(3));
        write(VmcsField.GUEST_RFLAGS, RFLAGS);
        write(VmcsField.GUEST_RIP, 0);
        write(VmcsField.GUEST_SS_AR_BYTES, 0);
    }

    private void controls() {
        boolean tables = current.tables != null;
        write(VmcsField.SECONDARY_VM_EXEC_CONTROL, (current.tag == 0 ? 0 : VmxControls.ENABLE_VPID)
                | (tables ? VmxControls.ENABLE_EPT | VmxControls.UNRESTRICTED_GUEST : 0));
        if (current.tag != 0) {
            write(VmcsField.VIRTUAL_PROCESSOR_ID, current.tag);
        }
        if (tables) {
            write(VmcsField.EPT_POINTER, current.root);
        }
    }

    private void write(VmcsField field, long value) {
        script.vmx(ExitReason.VMWRITE, field.encoding(), value, 0);
    }

    @Override
    void turn() {
        script.vmx(ExitReason.VMPTRLD, 0, current.block, 0);
    }

    @Override
    void enter() {
        script.vmx(current.launched ? ExitReason.VMRESUME : ExitReason.VMLAUNCH, 0, 0, 0);
        current.launched = true;
        kept = script.add(Script.KEEP_RAX, 0, 0);
        answers = script.count;
        for (VmcsField field : ASKED) {
            script.vmx(ExitReason.VMREAD, field.encoding(), 0, 0);
        }
    }

    @Override
    Exit exited() {
        ExitReason reason = ExitReason.of((int) script.value[answers + REASON]);
        gpa = script.value[answers + GPA];
        rip = script.value[answers + RIP];
        rax = script.value[kept];
        return switch (reason) {
            case EPT_VIOLATION, EPT_MISCONFIG -> Exit.REFUSED;
            case VMCALL -> Exit.CALL;
            case MSR_WRITE -> Exit.MSR_WRITE;
            default -> throw new MachineException("the guest hypervisor did not ask for exit " + reason + " of its guest");
        };
    }

    @Override
    boolean failed(int i) {
        return script.kind[i] == Script.VMX && script.errorCode[i] != 0;
    }

    @Override
    void skip() {
        write(VmcsField.GUEST_RIP, rip + 1);
    }

    @Override
    void inject(int vector) {
        write(VmcsField.VM_ENTRY_INTR_INFO_FIELD, VmxControls.INTR_VALID | VmxControls.INTR_ERROR_CODE
                | VmxControls.INTR_HARD_EXCEPTION << VmxControls.INTR_TYPE_SHIFT | vector);
        write(VmcsField.VM_ENTRY_EXCEPTION_ERROR_CODE, 0);
    }

    @Override
    void loadEfer(long value) {
        write(VmcsField.GUEST_IA32_EFER, value);
    }

    @Override
    public void loadCr3(long cr3) {
        write(VmcsField.GUEST_CR3, cr3);
    }

    @Override
    public void flushTables(boolean all) {
        script.vmx(ExitReason.INVEPT, all ? 2 : 1, all ? 0 : current.root, 0);
    }

    @Override
    public void flushLinear(int type, long gva) {
        if (current.tag != 0) {
            script.vmx(ExitReason.INVVPID, type, current.tag, gva);
        }
    }

    /** VPIDs 0 (none), 1 and 2, which all guests share: combined mappings are told apart by the EPT pointer, too. */
    @Override
    public void tag(int n, int root) {
        current.tag = n % 3;
        current.root = current.tables == null ? 0 : current.tables.root(root);
        controls();
    }
}
