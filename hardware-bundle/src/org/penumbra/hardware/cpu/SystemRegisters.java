package org.penumbra.hardware.cpu;

import org.penumbra.api.clock.GuestClock;
import org.penumbra.api.cpu.ExtendedState;
import org.penumbra.api.cpu.MemoryTypeMsrs;
import org.penumbra.api.cpu.Msr;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.cpu.SystemMsrs;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.ControlRegisterRules;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.svm.Vmcb;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.hardware.tlb.TranslationUnit;

/** RDMSR, WRMSR, XSETBV and CPUID: whether they fault or exit, and what they read and change. One thread. */
final class SystemRegisters {
    private final Running running;
    private final RegisterFile registers;
    private final TranslationUnit unit;
    private final GuestClock guestTime;
    private final CpuidLeaves leaves;
    private final int[] answer = new int[4];

    SystemRegisters(Running running, RegisterFile registers, TranslationUnit unit, GuestClock guestTime) {
        this.running = running;
        this.registers = registers;
        this.unit = unit;
        this.guestTime = guestTime;
        this.leaves = new CpuidLeaves(unit.physicalBits(), running.linearBits);
    }

    int rdmsr(int msr) {
        if (!running.privileged()) {
            return running.generalProtection();
        }
        if (running.vmcs != null) {
            return running.exit(ExitReason.MSR_READ, 0);
        }
        if (running.vmcb != null && running.vmcb.msrIntercept) {
            return running.svmExit(ExitReason.MSR_READ, Vmcb.VMEXIT_MSR, 0, 0);
        }
        long value;
        if (msr == Msr.IA32_EFER) {
            value = registers.paging.efer();
        } else if (msr == Msr.IA32_PKRS) {
            value = registers.paging.pkrs();
        } else if (SystemMsrs.has(msr)) {
            value = SystemMsrs.read(registers, msr, guestTime.retired());
        } else if (MemoryTypeMsrs.has(msr)) {
            value = unit.memoryTypes().read(msr);
        } else {
            return running.generalProtection();
        }
        registers.gpr[RegisterFile.RAX] = value & 0xffff_ffffL;
        registers.gpr[RegisterFile.RDX] = value >>> 32;
        return running.charged();
    }

    /** MSR bitmaps are not used: in non-root operation each WRMSR exits. */
    int wrmsr(int msr, long value) {
        if (!running.privileged()) {
            return running.generalProtection();
        }
        if (running.vmcs != null) {
            return running.exit(ExitReason.MSR_WRITE, 0);
        }
        if (running.vmcb != null && running.vmcb.msrIntercept) {
            return running.svmExit(ExitReason.MSR_WRITE, Vmcb.VMEXIT_MSR, 1, 0);
        }
        PagingState now = registers.paging;
        if (msr == Msr.IA32_EFER && ControlRegisterRules.eferAllowed(value, now.efer(), now.cr0())) {
            running.set(now.withEfer(value & ~ControlBits.EFER_LMA | now.efer() & ControlBits.EFER_LMA));
        } else if (msr == Msr.IA32_PKRS && value >>> 32 == 0) {
            running.set(now.withPkrs((int) value));
        } else if (SystemMsrs.has(msr)) {
            return SystemMsrs.write(registers, msr, value, guestTime.retired()) ? running.charged() : running.generalProtection();
        } else if (!MemoryTypeMsrs.has(msr) || !unit.memoryTypes().write(msr, value)) {
            return running.generalProtection();
        }
        return running.charged();
    }

    int cpuid() {
        if (running.vmcs != null) {
            return running.exit(ExitReason.CPUID, 0);
        }
        if (running.vmcb != null && running.vmcb.cpuidIntercept) {
            return running.svmExit(ExitReason.CPUID, Vmcb.VMEXIT_CPUID, 0, 0);
        }
        answer((int) registers.gpr[RegisterFile.RAX], (int) registers.gpr[RegisterFile.RCX], answer);
        registers.gpr[RegisterFile.RAX] = answer[0] & 0xffff_ffffL;
        registers.gpr[RegisterFile.RBX] = answer[1] & 0xffff_ffffL;
        registers.gpr[RegisterFile.RCX] = answer[2] & 0xffff_ffffL;
        registers.gpr[RegisterFile.RDX] = answer[3] & 0xffff_ffffL;
        return running.charged();
    }

    /** What CPUID answers where nobody intercepts it. */
    void answer(int leaf, int subleaf, int[] into) {
        leaves.answer(leaf, subleaf, registers, into);
    }

    int xsetbv(int register, long value) {
        if (!running.privileged()) {
            return running.generalProtection();
        }
        if (running.vmcs != null) {
            return running.exit(ExitReason.XSETBV, 0);
        }
        if (running.vmcb != null && running.vmcb.xsetbvIntercept) {
            return running.svmExit(ExitReason.XSETBV, Vmcb.VMEXIT_XSETBV, 0, 0);
        }
        if (register != 0 || !ExtendedState.allowed(value)) {
            return running.generalProtection();
        }
        registers.system.xcr0 = value;
        return running.charged();
    }
}
