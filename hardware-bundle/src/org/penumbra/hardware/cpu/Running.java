package org.penumbra.hardware.cpu;

import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.clock.Work;
import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.cpu.InterruptLine;
import org.penumbra.api.cpu.Outcome;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.deprivileged.DeprivilegedGuest;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.Pdptes;
import org.penumbra.api.svm.Vmcb;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vmcs;
import org.penumbra.hardware.tlb.TranslationUnit;

/**
 * What runs on the processor now: software outside VMX operation, or a guest by its VMCS, by its VMCB or at CPL 3, with the registers
 * that are real for it; and how it is interrupted, by an exception or by an exit. At most one of the three guests is there. One thread.
 */
final class Running {
    private final RegisterFile registers;
    private final TranslationUnit unit;
    private final CycleClock cycles;
    final int linearBits;
    /** The last exception of the guest. */
    final GuestException exception = new GuestException();
    /** The last exit. */
    final ExitRecord exit = new ExitRecord();
    final InterruptLine line = new InterruptLine();

    /** The VMCS of the guest that runs now; null outside non-root operation. */
    Vmcs vmcs;
    /** The VMCB of the guest that runs now; null unless one runs under SVM. */
    Vmcb vmcb;
    /** The guest that runs now at CPL 3; null unless one does. */
    DeprivilegedGuest deprivileged;
    /** What the last operation that reads a register or a port has read. */
    long result;
    /** The state that the translation unit works with. */
    private PagingState loaded;

    Running(RegisterFile registers, TranslationUnit unit, CycleClock cycles, int linearBits) {
        this.registers = registers;
        this.unit = unit;
        this.cycles = cycles;
        this.linearBits = linearBits;
    }

    /** True if a privileged operation may be done: a de-privileged guest runs at CPL 3, whatever it believes. */
    boolean privileged() {
        return deprivileged == null && registers.cpl == 0;
    }

    /** The operation is done, and paid for. */
    int charged() {
        cycles.charge(Work.PRIVILEGED);
        return Outcome.DONE;
    }

    boolean inGuest() {
        return vmcs != null || vmcb != null || deprivileged != null;
    }

    int generalProtection() {
        return raise(GuestException.GP, 0, 0, 0);
    }

    /** An exception of the guest, or the exit that the exception bitmap makes of it. */
    int raise(int vector, int errorCode, long address, int access) {
        if (vmcs != null && (vmcs.exceptionBitmap >>> vector & 1) != 0) {
            exit(ExitReason.EXCEPTION_NMI, vector == GuestException.PF ? address : 0);
            return excepted(vector, errorCode, access);
        }
        if (vmcb != null && (vmcb.exceptionIntercepts >>> vector & 1) != 0) {
            svmExit(ExitReason.EXCEPTION_NMI, Vmcb.VMEXIT_EXCP + vector, errorCode, address);
            return excepted(vector, errorCode, access);
        }
        if (deprivileged != null) {
            trap(ExitReason.EXCEPTION_NMI);
            exit.qualification = address;
            return excepted(vector, errorCode, access);
        }
        exception.set(vector, errorCode, address);
        return Outcome.FAULT;
    }

    /** Completes the record of an exit that an exception makes. */
    int excepted(int vector, int errorCode, int access) {
        exit.vector = vector;
        exit.errorCode = errorCode;
        exit.access = access;
        return Outcome.EXIT;
    }

    /** A #VMEXIT; the record gets {@code info2}, which is an address or nothing, for its qualification. */
    int svmExit(ExitReason reason, int code, long info1, long info2) {
        return svmExit(reason, code, info1, info2, info2);
    }

    int svmExit(ExitReason reason, int code, long info1, long info2, long qualification) {
        vmcb.exitCode = code;
        vmcb.exitInfo1 = info1;
        vmcb.exitInfo2 = info2;
        vmcb = null;
        return left(reason, qualification, Work.EXIT);
    }

    /** A VM exit. */
    int exit(ExitReason reason, long qualification) {
        if (vmcs.vpid == 0) {
            unit.invalidations().dropVpid(0);
        }
        vmcs = null;
        return left(reason, qualification, Work.EXIT);
    }

    /** A de-privileged guest is interrupted: the monitor runs now, at CPL 0. */
    int trap(ExitReason reason) {
        deprivileged = null;
        return left(reason, 0, Work.TRAP);
    }

    /** The guest does not run any more. */
    private int left(ExitReason reason, long qualification, Work price) {
        exit.start(reason, qualification);
        cycles.charge(price);
        loaded = null;
        line.awaitWindow(false);
        unit.unload();
        return Outcome.EXIT;
    }

    /** Gives the register file another state. */
    void set(PagingState state) {
        registers.paging = state;
        loadState();
    }

    /** After an exit nothing is loaded; and whoever owns the register file may have replaced its state, as a boot loader does. */
    void refresh() {
        if (loaded != registers.paging) {
            EntryChecks.linearBits(registers.paging.cr4(), linearBits);
            loadState();
        }
    }

    /** Has the translation unit work with the state of what runs now. */
    void loadState() {
        PagingState state = registers.paging;
        unit.deprivileged(deprivileged != null);
        if (deprivileged != null) {
            DeprivilegedGuest real = deprivileged;
            unit.useOneStage();
            unit.load(real.cr0, real.cr3, real.cr4, real.efer, 0, 0, real.pdptes, 0);
            loaded = state;
            return;
        }
        if (nestedPaging()) {
            unit.useNpt(vmcb.nCr3, vmcb.hostCr0, vmcb.hostCr4, vmcb.hostEfer, vmcb.asid);
            unit.stage().log().use(null);
            unit.stage().subPages().use(null);
        } else if (vmcs != null && vmcs.enableEpt && vmcs.stageWalker != null) {
            unit.useOwn(vmcs.stageWalker, vmcs.eptp);
            unit.stage().log().use(null);
            unit.stage().subPages().use(null);
        } else if (vmcs != null && vmcs.enableEpt) {
            unit.useEpt(vmcs.eptp, vmcs.modeBasedExecute);
            unit.stage().log().use(vmcs);
            unit.stage().subPages().use(vmcs);
            if (vmcs.linearWalker != null) {
                unit.useLinear(vmcs.linearWalker, vmcs.linearTable);
            }
        } else {
            unit.useOneStage();
        }
        int tag = vmcs != null ? vmcs.vpid : vmcb != null ? vmcb.asid : 0;
        Pdptes pdptes = nestedPaging() ? null : vmcs != null ? vmcs.guestPdptes : state.pdptes();
        unit.load(cr0(), cr3(), cr4(), efer(), state.pkru(), state.pkrs(), pdptes, tag);
        loaded = state;
    }

    boolean nestedPaging() {
        return vmcb != null && vmcb.nestedPaging;
    }

    PagingMode mode() {
        return PagingMode.of(cr0(), cr4(), efer());
    }

    long cr0() {
        return vmcs == null ? registers.paging.cr0() : vmcs.guestCr0;
    }

    long cr3() {
        return vmcs == null ? registers.paging.cr3() : vmcs.guestCr3;
    }

    long cr4() {
        return vmcs == null ? registers.paging.cr4() : vmcs.guestCr4;
    }

    long efer() {
        return vmcs == null ? registers.paging.efer() : vmcs.guestEfer;
    }
}
