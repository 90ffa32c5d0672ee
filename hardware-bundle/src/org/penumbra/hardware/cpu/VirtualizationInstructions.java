package org.penumbra.hardware.cpu;

import static org.penumbra.api.paging.ControlBits.CR0_PE;

import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.api.svm.Vmcb;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.api.vmx.Vmcs;
import org.penumbra.api.vmx.VmcsField;
import org.penumbra.hardware.tlb.TranslationUnit;

/** Instructions of VMX and SVM that a guest executes: they fault, exit to the hypervisor, or are done by the processor alone. One thread. */
final class VirtualizationInstructions {
    private static final int UD = GuestException.UD;

    private final Running running;
    private final RegisterFile registers;
    private final TranslationUnit unit;
    private final PhysicalMemory memory;
    private long vmread;

    VirtualizationInstructions(Running running, RegisterFile registers, TranslationUnit unit, PhysicalMemory memory) {
        this.running = running;
        this.registers = registers;
        this.unit = unit;
        this.memory = memory;
    }

    int vmcall() {
        if (running.vmcb != null && running.vmcb.vmmcallIntercept) {
            return running.svmExit(ExitReason.VMCALL, Vmcb.VMEXIT_VMMCALL, 0, 0);
        }
        return running.vmcs != null ? running.exit(ExitReason.VMCALL, 0) : running.raise(UD, 0, 0, 0);
    }

    int vmx(int instruction, int field, long value) {
        if (instruction == ExitReason.VMFUNC.number()) {
            return vmfunc(field, (int) value);
        }
        if (running.vmcs == null) {
            return running.raise(UD, 0, 0, 0);
        }
        boolean write = instruction == ExitReason.VMWRITE.number();
        boolean shadowed = running.vmcs.shadow != null && (write || instruction == ExitReason.VMREAD.number());
        VmcsField shadow = shadowed ? VmcsField.of(field) : null;
        if (shadow == null || write && shadow.readOnly()) {
            return running.exit(ExitReason.of(instruction), 0);
        }
        if (!running.privileged()) {
            return running.generalProtection();
        }
        if (write) {
            running.vmcs.shadow.set(shadow, value);
        } else {
            vmread = running.vmcs.shadow.get(shadow);
        }
        registers.rflags &= ~ControlBits.RFLAGS_STATUS;
        return running.charged();
    }

    long vmread() {
        return vmread;
    }

    int svm(int instruction) {
        if (running.vmcb == null || (running.efer() & ControlBits.EFER_SVME) == 0 || (running.cr0() & CR0_PE) == 0) {
            return running.raise(UD, 0, 0, 0);
        }
        if (!running.privileged()) {
            return running.generalProtection();
        }
        ExitReason reason = ExitReason.of(instruction);
        return running.svmExit(reason, svmCode(reason), 0, 0);
    }

    private static int svmCode(ExitReason instruction) {
        switch (instruction) {
            case VMRUN:
                return Vmcb.VMEXIT_VMRUN;
            case VMLOAD:
                return Vmcb.VMEXIT_VMLOAD;
            case VMSAVE:
                return Vmcb.VMEXIT_VMSAVE;
            case STGI:
                return Vmcb.VMEXIT_STGI;
            case CLGI:
                return Vmcb.VMEXIT_CLGI;
            case INVLPGA:
                return Vmcb.VMEXIT_INVLPGA;
            default:
                throw new IllegalArgumentException(instruction + " is no instruction of SVM");
        }
    }

    int vmfunc(int function, int index) {
        if (running.vmcs == null || !running.vmcs.enableVmFunctions) {
            return running.raise(UD, 0, 0, 0);
        }
        boolean enabled = function >= 0 && function < 64 && (running.vmcs.vmFunctionControls >>> function & 1) != 0;
        if (!enabled || function != 0 || index < 0 || index >= Vmcs.EPTP_LIST_ENTRIES) {
            return running.exit(ExitReason.VMFUNC, 0);
        }
        long eptp = memory.load64(running.vmcs.eptpListAddress + 8L * index);
        if (!TranslationRoot.TwoDimensional.allowed(eptp, unit.physicalBits())) {
            return running.exit(ExitReason.VMFUNC, 0);
        }
        running.refresh();
        running.vmcs.eptp = eptp;
        if (running.vmcs.eptViolationVe) {
            running.vmcs.eptpIndex = index;
        }
        running.loadState();
        return running.charged();
    }
}
