package org.penumbra.vmx;

import org.penumbra.api.clock.Work;
import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.cpu.GuestOperation;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.deprivileged.DeprivilegedGuest;
import org.penumbra.api.deprivileged.DeprivilegingProcessor;
import org.penumbra.api.vmx.ExitQualification;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vmcs;

/**
 * The guest of one vCPU while it runs without VMX, its kernel at CPL 3. What the registers really hold and what is to be injected is
 * taken over from the VMCS, which no processor sees then. Its traps are told as the VM exits that mean the same, so that one exit table
 * serves both. Used by the vCPU's thread.
 */
final class DeprivilegedVcpu {
    private final DeprivilegingProcessor processor;
    private final DeprivilegedGuest guest = new DeprivilegedGuest();

    DeprivilegedVcpu(DeprivilegingProcessor processor) {
        this.processor = processor;
    }

    /** IRET to the guest, with the event in {@code pending}, which is taken out of it. No interrupt window is needed: setting IF traps. */
    void run(Vmcs pending) {
        guest.cr0 = pending.guestCr0;
        guest.cr3 = pending.guestCr3;
        guest.cr4 = pending.guestCr4;
        guest.efer = pending.guestEfer;
        guest.inject = pending.inject;
        guest.injectExternal = pending.injectExternal;
        guest.injectVector = pending.injectVector;
        guest.injectErrorCode = pending.injectErrorCode;
        guest.injectAddress = pending.injectAddress;
        processor.enterDeprivileged(guest);
        pending.inject = false;
    }

    /** The next entry drops everything that is cached for the guest. */
    void flush() {
        guest.flush = true;
    }

    /** Drops what is cached for {@code gva}. */
    void flushPage(long gva) {
        processor.dropDeprivileged(gva);
    }

    /**
     * Makes of a trap at a privileged {@code operation}, which has to be decoded first, the exit that it would be under VMX; leaves other
     * traps as they are. Of these #PF, external interrupts and {@link GuestOperation.Kind#CHANGE_PRIVILEGE} are the monitor's, and any
     * other exception is the guest's own.
     */
    void decode(ExitRecord trap, GuestOperation operation, RegisterFile registers) {
        boolean refused = trap.vector == GuestException.GP && registers.cpl == 0 || trap.vector == GuestException.UD;
        if (trap.reason != ExitReason.EXCEPTION_NMI.number() || !refused || operation.kind == null) {
            return;
        }
        switch (operation.kind) {
            case MOV_TO_CR0 -> decoded(trap, ExitReason.CR_ACCESS, ExitQualification.movToCr(0));
            case MOV_TO_CR3 -> decoded(trap, ExitReason.CR_ACCESS, ExitQualification.movToCr(3));
            case MOV_TO_CR4 -> decoded(trap, ExitReason.CR_ACCESS, ExitQualification.movToCr(4));
            case INVLPG -> decoded(trap, ExitReason.INVLPG, operation.gva);
            case INVPCID -> decoded(trap, ExitReason.INVPCID, 0);
            case HLT -> decoded(trap, ExitReason.HLT, 0);
            case OUT -> decoded(trap, ExitReason.IO_INSTRUCTION, ExitQualification.out(operation.port, operation.width));
            case WRMSR -> decoded(trap, ExitReason.MSR_WRITE, 0);
            case XSETBV -> decoded(trap, ExitReason.XSETBV, 0);
            case VMCALL -> decoded(trap, ExitReason.VMCALL, 0);
            default -> { }
        }
    }

    private void decoded(ExitRecord trap, ExitReason reason, long qualification) {
        processor.cycles().charge(Work.EMULATION);
        trap.start(reason, qualification);
    }
}
