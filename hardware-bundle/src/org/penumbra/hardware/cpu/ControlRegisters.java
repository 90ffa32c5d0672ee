package org.penumbra.hardware.cpu;

import static org.penumbra.api.paging.ControlBits.CR0_PE;
import static org.penumbra.api.paging.ControlBits.CR0_PG;
import static org.penumbra.api.paging.ControlBits.CR3_NO_FLUSH;
import static org.penumbra.api.paging.ControlBits.CR4_PAE;
import static org.penumbra.api.paging.ControlBits.CR4_PCIDE;
import static org.penumbra.api.paging.ControlBits.CR4_PGE;
import static org.penumbra.api.paging.ControlBits.CR4_PSE;
import static org.penumbra.api.paging.ControlBits.CR4_SMEP;

import org.penumbra.api.cpu.Outcome;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.ControlRegisterRules;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.Pdptes;
import org.penumbra.api.svm.Vmcb;
import org.penumbra.api.vmx.ExitQualification;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.hardware.tlb.TranslationUnit;

/**
 * MOV to and from control registers: whether they fault or exit, what they change for the guest and in truth, and what they drop. In
 * non-root operation CR0, CR3, CR4 and EFER are those of the VMCS guest-state area, and a MOV that does not exit updates both. One thread.
 */
final class ControlRegisters {
    private final Running running;
    private final RegisterFile registers;
    private final TranslationUnit unit;
    private final PhysicalMemory memory;
    private final StageExits exits;
    /** What {@link #loadPdptes} found. */
    private Pdptes found;

    ControlRegisters(Running running, RegisterFile registers, TranslationUnit unit, PhysicalMemory memory, StageExits exits) {
        this.running = running;
        this.registers = registers;
        this.unit = unit;
        this.memory = memory;
        this.exits = exits;
    }

    int movToCr3(long value) {
        if (!running.privileged()) {
            return running.generalProtection();
        }
        if (running.vmcs != null && running.vmcs.cr3LoadExiting && !isTarget(value)) {
            return running.exit(ExitReason.CR_ACCESS, ExitQualification.movToCr(3));
        }
        running.refresh();
        boolean pcide = (running.cr4() & CR4_PCIDE) != 0;
        if (!ControlRegisterRules.cr3Allowed(value, running.cr4(), unit.physicalLimit())) {
            return running.generalProtection();
        }
        if (writeIntercepted(3)) {
            return svmCrAccess(Vmcb.VMEXIT_CR_WRITE + 3, ExitQualification.movToCr(3));
        }
        boolean keep = pcide && (value & CR3_NO_FLUSH) != 0;
        long cr3 = pcide ? value & ~CR3_NO_FLUSH : value;
        PagingState next = registers.paging.withCr3(cr3);
        if (running.mode() == PagingMode.PAE) {
            int outcome = loadPdptes(cr3);
            if (outcome != Outcome.DONE) {
                return outcome;
            }
            next = withPdptes(next);
        }
        if (running.vmcs != null) {
            running.vmcs.guestCr3 = cr3;
        }
        running.set(next);
        if (!keep) {
            unit.dropPcid(pcide ? (int) (cr3 & ControlBits.CR3_PCID) : 0);
        }
        return running.charged();
    }

    /** SDM vol. 3, "CR3-Target Controls": the whole source operand is compared, bit 63 included. */
    private boolean isTarget(long value) {
        for (int i = 0; i < running.vmcs.cr3TargetCount; i++) {
            if (running.vmcs.cr3Targets[i] == value) {
                return true;
            }
        }
        return false;
    }

    int movToCr0(long value) {
        if (!running.privileged()) {
            return running.generalProtection();
        }
        if (running.vmcs != null && ((value ^ running.vmcs.cr0ReadShadow) & running.vmcs.cr0Mask) != 0) {
            return running.exit(ExitReason.CR_ACCESS, ExitQualification.movToCr(0));
        }
        running.refresh();
        long old = running.cr0();
        long mask = running.vmcs == null ? 0 : running.vmcs.cr0Mask;
        long real = owned(old, value, mask);
        // Both are fixed to 1 in VMX operation, but for unrestricted guests (SDM vol. 3, "Restrictions on VMX Operation").
        boolean fixed = running.vmcs == null || running.vmcs.unrestrictedGuest || (real & (CR0_PE | CR0_PG)) == (CR0_PE | CR0_PG);
        if (!ControlRegisterRules.cr0Allowed(real, running.cr4(), running.efer()) || !fixed) {
            return running.generalProtection();
        }
        if (writeIntercepted(0)) {
            return svmCrAccess(Vmcb.VMEXIT_CR_WRITE, ExitQualification.movToCr(0));
        }
        long efer = ControlRegisterRules.efer(real, running.efer());
        long seen = owned(registers.paging.cr0(), value, mask);
        PagingState next = registers.paging.withCr0(seen).withEfer(ControlRegisterRules.efer(seen, registers.paging.efer()));
        if (ControlRegisterRules.loadsPdptes(old, running.cr4(), real, running.cr4(), efer)) {
            int outcome = loadPdptes(running.cr3());
            if (outcome != Outcome.DONE) {
                return outcome;
            }
            next = withPdptes(next);
        }
        if (running.vmcs != null) {
            running.vmcs.guestCr0 = real;
            running.vmcs.guestEfer = efer;
        }
        running.set(next);
        if ((old & ~real & CR0_PG) != 0) {
            unit.dropCurrentVpid();
        }
        return running.charged();
    }

    /** A MOV that does not exit leaves the bits in {@code mask} as they are. */
    private static long owned(long old, long value, long mask) {
        return old & mask | value & ~mask;
    }

    /**
     * What a MOV to CR4 drops: SDM vol. 3, "Operations that Invalidate TLBs and Paging-Structure Caches", and for PSE and PAE the
     * wider rule of "Invalidating the Translation Lookaside Buffers (TLBs)".
     */
    int movToCr4(long value) {
        if (!running.privileged()) {
            return running.generalProtection();
        }
        if (running.vmcs != null && ((value ^ running.vmcs.cr4ReadShadow) & running.vmcs.cr4Mask) != 0) {
            return running.exit(ExitReason.CR_ACCESS, ExitQualification.movToCr(4));
        }
        running.refresh();
        long old = running.cr4();
        long mask = running.vmcs == null ? 0 : running.vmcs.cr4Mask;
        long real = owned(old, value, mask);
        if (!ControlRegisterRules.cr4Allowed(real, old, running.cr3(), running.efer(), running.linearBits)) {
            return running.generalProtection();
        }
        if (writeIntercepted(4)) {
            return svmCrAccess(Vmcb.VMEXIT_CR_WRITE + 4, ExitQualification.movToCr(4));
        }
        PagingState next = registers.paging.withCr4(owned(registers.paging.cr4(), value, mask));
        if (ControlRegisterRules.loadsPdptes(running.cr0(), old, running.cr0(), real, running.efer())) {
            int outcome = loadPdptes(running.cr3());
            if (outcome != Outcome.DONE) {
                return outcome;
            }
            next = withPdptes(next);
        }
        if (running.vmcs != null) {
            running.vmcs.guestCr4 = real;
        }
        running.set(next);
        if (((old ^ real) & (CR4_PGE | CR4_PSE | CR4_PAE)) != 0 || (old & ~real & CR4_PCIDE) != 0) {
            unit.dropCurrentVpid();
        } else if ((real & ~old & CR4_SMEP) != 0) {
            unit.dropPcidAndGlobals();
        }
        return running.charged();
    }

    int movFromCr3() {
        if (!running.privileged()) {
            return running.generalProtection();
        }
        if (running.vmcs != null && running.vmcs.cr3StoreExiting) {
            return running.exit(ExitReason.CR_ACCESS, ExitQualification.movFromCr(3));
        }
        if (running.vmcb != null && (running.vmcb.crReadIntercepts >>> 3 & 1) != 0) {
            return svmCrAccess(Vmcb.VMEXIT_CR_READ + 3, ExitQualification.movFromCr(3));
        }
        running.result = running.cr3();
        return running.charged();
    }

    /** "CR8-load exiting" and "CR8-store exiting" are 1: there is no TPR shadow. */
    int movToCr8(long value) {
        if (!running.privileged()) {
            return running.generalProtection();
        }
        if (running.vmcs != null || running.vmcb != null) {
            return cr8Exit(ExitQualification.movToCr(8), Vmcb.VMEXIT_CR8_WRITE);
        }
        if (value >>> 4 != 0) {
            return running.generalProtection();
        }
        registers.system.cr8 = (int) value;
        return running.charged();
    }

    int movFromCr8() {
        if (!running.privileged()) {
            return running.generalProtection();
        }
        if (running.vmcs != null || running.vmcb != null) {
            return cr8Exit(ExitQualification.movFromCr(8), Vmcb.VMEXIT_CR8_READ);
        }
        running.result = registers.system.cr8;
        return running.charged();
    }

    private int cr8Exit(long qualification, int code) {
        return running.vmcs != null ? running.exit(ExitReason.CR_ACCESS, qualification) : svmCrAccess(code, qualification);
    }

    /**
     * Reads the PDPTEs of {@code cr3} for the registers, into {@link #found}: an {@link Outcome}. They are loaded all or none (SDM vol.
     * 3, "PDPTE Registers").
     */
    private int loadPdptes(long cr3) {
        if (running.nestedPaging()) {
            // They are read by each walk instead, and checked there.
            found = Pdptes.IN_MEMORY;
            return Outcome.DONE;
        }
        long table = cr3 & Pdptes.TABLE;
        long hpa = unit.pdpteTable(table);
        if (hpa < 0) {
            return exits.raise(0, 0, false);
        }
        found = readPdptes(memory, hpa);
        return found.allowed(unit.physicalBits()) ? Outcome.DONE : running.generalProtection();
    }

    /** The PDPTEs in the table at {@code hpa}. */
    static Pdptes readPdptes(PhysicalMemory memory, long hpa) {
        return new Pdptes(memory.load64(hpa), memory.load64(hpa + 8), memory.load64(hpa + 16), memory.load64(hpa + 24));
    }

    /** Puts what was found into the registers; what the guest sees of them is in {@code state}, unless they serve shadow tables. */
    private PagingState withPdptes(PagingState state) {
        if (running.vmcs != null) {
            running.vmcs.guestPdptes = found;
        }
        return running.vmcs == null || running.vmcs.enableEpt ? state.withPdptes(found) : state;
    }

    /**
     * True if SVM intercepts MOV to CR{@code n}; asked when the value is allowed, since exceptions come first (APM vol. 2, "Instruction
     * Intercepts").
     */
    private boolean writeIntercepted(int n) {
        return running.vmcb != null && (running.vmcb.crWriteIntercepts >>> n & 1) != 0;
    }

    private int svmCrAccess(int code, long qualification) {
        return running.svmExit(ExitReason.CR_ACCESS, code, 0, 0, qualification);
    }
}
