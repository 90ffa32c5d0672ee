package org.penumbra.hardware.cpu;

import static org.penumbra.api.paging.ControlBits.CR0_PE;
import static org.penumbra.api.paging.ControlBits.CR0_PG;
import static org.penumbra.api.paging.ControlBits.CR3_NO_FLUSH;
import static org.penumbra.api.paging.ControlBits.CR4_PAE;
import static org.penumbra.api.paging.ControlBits.CR4_PCIDE;
import static org.penumbra.api.paging.ControlBits.CR4_PGE;
import static org.penumbra.api.paging.ControlBits.CR4_PSE;
import static org.penumbra.api.paging.ControlBits.CR4_SMEP;

import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.clock.GuestClock;
import org.penumbra.api.clock.Work;
import org.penumbra.api.cpu.ExtendedState;
import org.penumbra.api.cpu.FirstLevelTlb;
import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.cpu.HostProcessor;
import org.penumbra.api.cpu.InterruptLine;
import org.penumbra.api.cpu.Msr;
import org.penumbra.api.cpu.Outcome;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.cpu.SystemMsrs;
import org.penumbra.api.cpu.TranslationStatistics;
import org.penumbra.api.cpu.WalkListener;
import org.penumbra.api.deprivileged.DeprivilegedGuest;
import org.penumbra.api.device.IoPorts;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.observe.TranslationObserver;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.ControlRegisterRules;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.Pdptes;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.api.svm.Vmcb;
import org.penumbra.api.vmx.ExitQualification;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vmcs;
import org.penumbra.api.vmx.VmcsField;
import org.penumbra.hardware.tlb.TranslationUnit;
import org.penumbra.hardware.type.MemoryTypes;
import org.penumbra.hardware.walk.Walker;

/**
 * One logical processor: the privileged operations, and the rules by which they exit.
 *
 * <p>Outside VMX operation (before the first VM entry) the guest-visible registers are the real ones. In non-root operation CR0,
 * CR3, CR4 and EFER are those of the VMCS guest-state area, and a MOV to a control register that does not exit updates both.
 * Faults and exits take the order of SDM vol. 3, "Relative Priority of Faults and VM Exits": privilege first, then the exit,
 * then whether the value is allowed. A guest of SVM has its registers in the register file alone; of its
 * operations those exit whose intercepts there are.
 *
 * <p>One class although it is long: each operation is defined once for native, VMX and SVM guests, and all of them work on which guest
 * runs now and with which state.
 */
final class LogicalProcessor implements HostProcessor {
    private static final int UD = GuestException.UD;

    private final PhysicalMemory memory;
    private final RegisterFile registers;
    private final IoPorts ports;
    private final TranslationObserver observer;
    private final CycleClock cycles;
    private final GuestClock guestTime = new GuestClock();
    private final TranslationUnit unit;
    private final GuestException exception = new GuestException();
    private final GuestException injected = new GuestException();
    private final ExitRecord exit = new ExitRecord();
    private final InterruptLine line = new InterruptLine();

    /** The VMCS of the guest that runs now; null outside non-root operation. */
    private Vmcs vmcs;
    /** The VMCB of the guest that runs now; null unless one runs under SVM. */
    private Vmcb vmcb;
    /** The guest that runs now at CPL 3; null unless one does. */
    private DeprivilegedGuest deprivileged;
    /** What {@link #loadPdptes} found. */
    private Pdptes found;
    /** The state that the translation unit works with. */
    private PagingState loaded;
    private boolean injecting;
    private long vmread;
    private final int linearBits;
    private final CpuidLeaves leaves;
    private final int[] answer = new int[4];
    private long result;

    LogicalProcessor(CostProfile profile, PhysicalMemory memory, RegisterFile registers, IoPorts ports, TranslationObserver observer) {
        this.memory = memory;
        this.registers = registers;
        this.ports = ports;
        this.observer = observer;
        this.linearBits = (int) profile.figure("cpu.linear-address-bits");
        this.cycles = new CycleClock(profile);
        this.unit = new TranslationUnit(profile, memory, cycles, observer == null ? null : observer::updated);
        this.leaves = new CpuidLeaves(unit.physicalBits(), linearBits);
    }

    @Override
    public long translate(long gva, int access) {
        refresh();
        long hpa = unit.translate(gva, deprivileged == null ? access : access & ~Access.AC | Access.USER);
        if (hpa >= 0) {
            return hpa;
        }
        int outcome;
        if (hpa == TranslationUnit.REFUSED) {
            outcome = stageExit(gva, access, true);
        } else if (hpa == TranslationUnit.PAGE_FAULT) {
            outcome = raise(GuestException.PF, unit.errorCode(), gva, access);
        } else if (hpa == TranslationUnit.OWED) {
            exit(ExitReason.EXCEPTION_NMI, gva);
            outcome = excepted(GuestException.PF, unit.errorCode(), access);
        } else {
            outcome = raise(GuestException.GP, 0, 0, access);
        }
        return outcome == Outcome.EXIT ? EXIT : FAULT;
    }

    @Override
    public int movToCr3(long value) {
        if (!privileged()) {
            return generalProtection();
        }
        if (vmcs != null && vmcs.cr3LoadExiting && !isTarget(value)) {
            return exit(ExitReason.CR_ACCESS, ExitQualification.movToCr(3));
        }
        refresh();
        boolean pcide = (cr4() & CR4_PCIDE) != 0;
        if (!ControlRegisterRules.cr3Allowed(value, cr4(), unit.physicalLimit())) {
            return generalProtection();
        }
        if (writeIntercepted(3)) {
            return svmCrAccess(Vmcb.VMEXIT_CR_WRITE + 3, ExitQualification.movToCr(3));
        }
        boolean keep = pcide && (value & CR3_NO_FLUSH) != 0;
        long cr3 = pcide ? value & ~CR3_NO_FLUSH : value;
        PagingState next = registers.paging.withCr3(cr3);
        if (mode() == PagingMode.PAE) {
            int outcome = loadPdptes(cr3);
            if (outcome != Outcome.DONE) {
                return outcome;
            }
            next = withPdptes(next);
        }
        if (vmcs != null) {
            vmcs.guestCr3 = cr3;
        }
        set(next);
        if (!keep) {
            unit.dropPcid(pcide ? (int) (cr3 & ControlBits.CR3_PCID) : 0);
        }
        return charged();
    }

    /** SDM vol. 3, "CR3-Target Controls": the whole source operand is compared, bit 63 included. */
    private boolean isTarget(long value) {
        for (int i = 0; i < vmcs.cr3TargetCount; i++) {
            if (vmcs.cr3Targets[i] == value) {
                return true;
            }
        }
        return false;
    }

    @Override
    public int movToCr0(long value) {
        if (!privileged()) {
            return generalProtection();
        }
        if (vmcs != null && ((value ^ vmcs.cr0ReadShadow) & vmcs.cr0Mask) != 0) {
            return exit(ExitReason.CR_ACCESS, ExitQualification.movToCr(0));
        }
        refresh();
        long old = cr0();
        long real = vmcs == null ? value : old & vmcs.cr0Mask | value & ~vmcs.cr0Mask;
        // Both are fixed to 1 in VMX operation, but for unrestricted guests (SDM vol. 3, "Restrictions on VMX Operation").
        boolean fixed = vmcs == null || vmcs.unrestrictedGuest || (real & (CR0_PE | CR0_PG)) == (CR0_PE | CR0_PG);
        if (!ControlRegisterRules.cr0Allowed(real, cr4(), efer()) || !fixed) {
            return generalProtection();
        }
        if (writeIntercepted(0)) {
            return svmCrAccess(Vmcb.VMEXIT_CR_WRITE, ExitQualification.movToCr(0));
        }
        long efer = ControlRegisterRules.efer(real, efer());
        long seen = owned(registers.paging.cr0(), value, vmcs == null ? 0 : vmcs.cr0Mask);
        PagingState next = registers.paging.withCr0(seen).withEfer(ControlRegisterRules.efer(seen, registers.paging.efer()));
        if (ControlRegisterRules.loadsPdptes(old, cr4(), real, cr4(), efer)) {
            int outcome = loadPdptes(cr3());
            if (outcome != Outcome.DONE) {
                return outcome;
            }
            next = withPdptes(next);
        }
        if (vmcs != null) {
            vmcs.guestCr0 = real;
            vmcs.guestEfer = efer;
        }
        set(next);
        if ((old & ~real & CR0_PG) != 0) {
            unit.dropCurrentVpid();
        }
        return charged();
    }

    /** A MOV that does not exit leaves the bits in {@code mask} as they are. */
    private static long owned(long old, long value, long mask) {
        return old & mask | value & ~mask;
    }

    /**
     * What a MOV to CR4 drops: SDM vol. 3, "Operations that Invalidate TLBs and Paging-Structure Caches", and for PSE and PAE the
     * wider rule of "Invalidating the Translation Lookaside Buffers (TLBs)".
     */
    @Override
    public int movToCr4(long value) {
        if (!privileged()) {
            return generalProtection();
        }
        if (vmcs != null && ((value ^ vmcs.cr4ReadShadow) & vmcs.cr4Mask) != 0) {
            return exit(ExitReason.CR_ACCESS, ExitQualification.movToCr(4));
        }
        refresh();
        long old = cr4();
        long real = vmcs == null ? value : old & vmcs.cr4Mask | value & ~vmcs.cr4Mask;
        if (!ControlRegisterRules.cr4Allowed(real, old, cr3(), efer(), linearBits)) {
            return generalProtection();
        }
        if (writeIntercepted(4)) {
            return svmCrAccess(Vmcb.VMEXIT_CR_WRITE + 4, ExitQualification.movToCr(4));
        }
        PagingState next = registers.paging.withCr4(owned(registers.paging.cr4(), value, vmcs == null ? 0 : vmcs.cr4Mask));
        if (ControlRegisterRules.loadsPdptes(cr0(), old, cr0(), real, efer())) {
            int outcome = loadPdptes(cr3());
            if (outcome != Outcome.DONE) {
                return outcome;
            }
            next = withPdptes(next);
        }
        if (vmcs != null) {
            vmcs.guestCr4 = real;
        }
        set(next);
        if (((old ^ real) & (CR4_PGE | CR4_PSE | CR4_PAE)) != 0 || (old & ~real & CR4_PCIDE) != 0) {
            unit.dropCurrentVpid();
        } else if ((real & ~old & CR4_SMEP) != 0) {
            unit.dropPcidAndGlobals();
        }
        return charged();
    }

    @Override
    public int invlpg(long gva) {
        if (!privileged()) {
            return generalProtection();
        }
        if (vmcs != null && vmcs.invlpgExiting) {
            return exit(ExitReason.INVLPG, gva);
        }
        if (vmcb != null && vmcb.invlpgIntercept) {
            svmExit(ExitReason.INVLPG, Vmcb.VMEXIT_INVLPG, 0, 0);
            exit.qualification = gva;
            return Outcome.EXIT;
        }
        refresh();
        unit.invlpg(gva);
        return charged();
    }

    @Override
    public int invpcid(int type, long ofPcid, long gva) {
        if (!privileged()) {
            return generalProtection();
        }
        if (vmcs != null && vmcs.invlpgExiting) {
            return exit(ExitReason.INVPCID, 0);
        }
        if (vmcb != null && vmcb.invpcidIntercept) {
            return svmExit(ExitReason.INVPCID, Vmcb.VMEXIT_INVPCID, 0, 0);
        }
        refresh();
        if (!ControlRegisterRules.invpcidAllowed(type, ofPcid, gva, cr4(), mode())) {
            return generalProtection();
        }
        int p = (int) ofPcid;
        switch (type) {
            case 0:
                unit.invpcidAddress(p, gva);
                break;
            case 1:
                unit.dropPcid(p);
                break;
            case 2:
                unit.dropCurrentVpid();
                break;
            default:
                unit.dropCurrentVpidButGlobals();
        }
        return charged();
    }

    @Override
    public int wrpkru(int value) {
        if (deprivileged != null || (cr4() & ControlBits.CR4_PKE) == 0) {
            return raise(UD, 0, 0, 0);
        }
        set(registers.paging.withPkru(value));
        return Outcome.DONE;
    }

    @Override
    public void listen(WalkListener listener) {
        unit.listen(listener);
    }

    @Override
    public int changePrivilege(int cpl, long rflags) {
        if (deprivileged != null) {
            return generalProtection();
        }
        registers.cpl = cpl;
        registers.rflags = rflags;
        return Outcome.DONE;
    }

    @Override
    public int hlt() {
        if (!privileged()) {
            return generalProtection();
        }
        if (vmcb != null && vmcb.hltIntercept) {
            return svmExit(ExitReason.HLT, Vmcb.VMEXIT_HLT, 0, 0);
        }
        return vmcs != null && vmcs.hltExiting ? exit(ExitReason.HLT, 0) : charged();
    }

    /** By the privilege level, where the engine has not found that the I/O permission bitmap permits it (SDM vol. 1, "I/O Privilege Level"). */
    private boolean ioRefused() {
        return registers.cpl > (registers.rflags >>> 12 & 3) && !registers.system.portsPermitted;
    }

    @Override
    public int taskSwitch(int selector, int source) {
        long qualification = (long) source << 30 | selector & 0xffff;
        if (vmcs != null) {
            return exit(ExitReason.TASK_SWITCH, qualification);
        }
        if (vmcb != null) {
            svmExit(ExitReason.TASK_SWITCH, Vmcb.VMEXIT_TASK_SWITCH, selector, 0);
            exit.qualification = qualification;
            return Outcome.EXIT;
        }
        return charged();
    }

    @Override
    public int out(int port, int width, long value) {
        if (deprivileged != null || ioRefused()) {
            return generalProtection();
        }
        if (vmcs != null && vmcs.ioExiting) {
            return exit(ExitReason.IO_INSTRUCTION, ExitQualification.out(port, width));
        }
        if (vmcb != null && vmcb.ioioIntercept) {
            svmExit(ExitReason.IO_INSTRUCTION, Vmcb.VMEXIT_IOIO, (long) port << 16 | width << 4, 0);
            exit.qualification = ExitQualification.out(port, width);
            return Outcome.EXIT;
        }
        ports.out(port, width, value);
        return charged();
    }

    @Override
    public int in(int port, int width) {
        if (deprivileged != null || ioRefused()) {
            return generalProtection();
        }
        if (vmcs != null && vmcs.ioExiting) {
            return exit(ExitReason.IO_INSTRUCTION, ExitQualification.in(port, width));
        }
        if (vmcb != null && vmcb.ioioIntercept) {
            svmExit(ExitReason.IO_INSTRUCTION, Vmcb.VMEXIT_IOIO, (long) port << 16 | width << 4 | 1, 0);
            exit.qualification = ExitQualification.in(port, width);
            return Outcome.EXIT;
        }
        result = ports.in(port, width);
        return charged();
    }

    @Override
    public int movFromCr3() {
        if (!privileged()) {
            return generalProtection();
        }
        if (vmcs != null && vmcs.cr3StoreExiting) {
            return exit(ExitReason.CR_ACCESS, ExitQualification.movFromCr(3));
        }
        if (vmcb != null && (vmcb.crReadIntercepts >>> 3 & 1) != 0) {
            return svmCrAccess(Vmcb.VMEXIT_CR_READ + 3, ExitQualification.movFromCr(3));
        }
        result = cr3();
        return charged();
    }

    /** "CR8-load exiting" and "CR8-store exiting" are 1: there is no TPR shadow. */
    @Override
    public int movToCr8(long value) {
        if (!privileged()) {
            return generalProtection();
        }
        if (vmcs != null || vmcb != null) {
            return cr8Exit(ExitQualification.movToCr(8), Vmcb.VMEXIT_CR8_WRITE);
        }
        if (value >>> 4 != 0) {
            return generalProtection();
        }
        registers.system.cr8 = (int) value;
        return charged();
    }

    @Override
    public int movFromCr8() {
        if (!privileged()) {
            return generalProtection();
        }
        if (vmcs != null || vmcb != null) {
            return cr8Exit(ExitQualification.movFromCr(8), Vmcb.VMEXIT_CR8_READ);
        }
        result = registers.system.cr8;
        return charged();
    }

    private int cr8Exit(long qualification, int code) {
        if (vmcs != null) {
            return exit(ExitReason.CR_ACCESS, qualification);
        }
        svmExit(ExitReason.CR_ACCESS, code, 0, 0);
        exit.qualification = qualification;
        return Outcome.EXIT;
    }

    @Override
    public long result() {
        return result;
    }

    @Override
    public int rdmsr(int msr) {
        if (!privileged()) {
            return generalProtection();
        }
        if (vmcs != null) {
            return exit(ExitReason.MSR_READ, 0);
        }
        if (vmcb != null && vmcb.msrIntercept) {
            return svmExit(ExitReason.MSR_READ, Vmcb.VMEXIT_MSR, 0, 0);
        }
        long value;
        if (msr == Msr.IA32_EFER) {
            value = registers.paging.efer();
        } else if (msr == Msr.IA32_PKRS) {
            value = registers.paging.pkrs();
        } else if (SystemMsrs.has(msr)) {
            value = SystemMsrs.read(registers, msr, guestTime.retired());
        } else if (MemoryTypes.has(msr)) {
            value = unit.memoryTypes().read(msr);
        } else {
            return generalProtection();
        }
        registers.gpr[RegisterFile.RAX] = value & 0xffff_ffffL;
        registers.gpr[RegisterFile.RDX] = value >>> 32;
        return charged();
    }

    @Override
    public int cpuid() {
        if (vmcs != null) {
            return exit(ExitReason.CPUID, 0);
        }
        if (vmcb != null && vmcb.cpuidIntercept) {
            return svmExit(ExitReason.CPUID, Vmcb.VMEXIT_CPUID, 0, 0);
        }
        hostCpuid((int) registers.gpr[RegisterFile.RAX], (int) registers.gpr[RegisterFile.RCX], answer);
        registers.gpr[RegisterFile.RAX] = answer[0] & 0xffff_ffffL;
        registers.gpr[RegisterFile.RBX] = answer[1] & 0xffff_ffffL;
        registers.gpr[RegisterFile.RCX] = answer[2] & 0xffff_ffffL;
        registers.gpr[RegisterFile.RDX] = answer[3] & 0xffff_ffffL;
        return charged();
    }

    @Override
    public int xsetbv(int register, long value) {
        if (!privileged()) {
            return generalProtection();
        }
        if (vmcs != null) {
            return exit(ExitReason.XSETBV, 0);
        }
        if (vmcb != null && vmcb.xsetbvIntercept) {
            return svmExit(ExitReason.XSETBV, Vmcb.VMEXIT_XSETBV, 0, 0);
        }
        if (register != 0 || !ExtendedState.allowed(value)) {
            return generalProtection();
        }
        registers.system.xcr0 = value;
        return charged();
    }

    @Override
    public void hostCpuid(int leaf, int subleaf, int[] into) {
        leaves.answer(leaf, subleaf, registers, into);
    }

    /** A VMCB without the intercept would have the machine reset, which nobody here does. */
    @Override
    public int tripleFault() {
        if (vmcs != null) {
            return exit(ExitReason.TRIPLE_FAULT, 0);
        }
        return vmcb != null ? svmExit(ExitReason.TRIPLE_FAULT, Vmcb.VMEXIT_SHUTDOWN, 0, 0) : Outcome.FAULT;
    }

    /** MSR bitmaps are not used: in non-root operation each WRMSR exits. */
    @Override
    public int wrmsr(int msr, long value) {
        if (!privileged()) {
            return generalProtection();
        }
        if (vmcs != null) {
            return exit(ExitReason.MSR_WRITE, 0);
        }
        if (vmcb != null && vmcb.msrIntercept) {
            return svmExit(ExitReason.MSR_WRITE, Vmcb.VMEXIT_MSR, 1, 0);
        }
        PagingState now = registers.paging;
        if (msr == Msr.IA32_EFER && ControlRegisterRules.eferAllowed(value, now.efer(), now.cr0())) {
            set(now.withEfer(value & ~ControlBits.EFER_LMA | now.efer() & ControlBits.EFER_LMA));
        } else if (msr == Msr.IA32_PKRS && value >>> 32 == 0) {
            set(now.withPkrs((int) value));
        } else if (SystemMsrs.has(msr)) {
            return SystemMsrs.write(registers, msr, value, guestTime.retired()) ? charged() : generalProtection();
        } else if (!MemoryTypes.has(msr) || !unit.memoryTypes().write(msr, value)) {
            return generalProtection();
        }
        return charged();
    }

    @Override
    public InterruptLine interruptLine() {
        return line;
    }

    /** An external interrupt has priority over the interrupt window (SDM vol. 3, "Priority Among Concurrent Events"). */
    @Override
    public int interrupted() {
        if (line.requested()) {
            line.acknowledge();
            if (vmcb != null) {
                return svmExit(ExitReason.EXTERNAL_INTERRUPT, Vmcb.VMEXIT_INTR, 0, 0);
            }
            if (deprivileged != null) {
                return trap(ExitReason.EXTERNAL_INTERRUPT);
            }
            return vmcs == null ? Outcome.DONE : exit(ExitReason.EXTERNAL_INTERRUPT, 0);
        }
        if (registers.system.interruptShadow) {
            return Outcome.DONE;
        }
        if (!registers.system.nmiBlocked && vmcs != null && vmcs.nmiWindowExiting) {
            return exit(ExitReason.NMI_WINDOW, 0);
        }
        if (!registers.system.nmiBlocked && vmcb != null && vmcb.iretIntercept) {
            return svmExit(ExitReason.NMI_WINDOW, Vmcb.VMEXIT_IRET, 0, 0);
        }
        if ((registers.rflags & ControlBits.RFLAGS_IF) == 0) {
            return Outcome.DONE;
        }
        if (vmcb != null && vmcb.interruptWindow) {
            return svmExit(ExitReason.INTERRUPT_WINDOW, Vmcb.VMEXIT_VINTR, 0, 0);
        }
        return vmcs != null && vmcs.interruptWindowExiting ? exit(ExitReason.INTERRUPT_WINDOW, 0) : Outcome.DONE;
    }

    @Override
    public int vmcall() {
        if (vmcb != null && vmcb.vmmcallIntercept) {
            return svmExit(ExitReason.VMCALL, Vmcb.VMEXIT_VMMCALL, 0, 0);
        }
        return vmcs != null ? exit(ExitReason.VMCALL, 0) : raise(UD, 0, 0, 0);
    }

    @Override
    public int vmx(int instruction, int field, long value) {
        if (vmcs == null) {
            return raise(UD, 0, 0, 0);
        }
        boolean write = instruction == ExitReason.VMWRITE.number();
        boolean shadowed = vmcs.shadow != null && (write || instruction == ExitReason.VMREAD.number());
        VmcsField shadow = shadowed ? VmcsField.of(field) : null;
        if (shadow == null || write && shadow.readOnly()) {
            return exit(ExitReason.of(instruction), 0);
        }
        if (!privileged()) {
            return generalProtection();
        }
        if (write) {
            vmcs.shadow.set(shadow, value);
        } else {
            vmread = vmcs.shadow.get(shadow);
        }
        registers.rflags &= ~ControlBits.RFLAGS_STATUS;
        return charged();
    }

    @Override
    public int svm(int instruction) {
        if (vmcb == null || (efer() & ControlBits.EFER_SVME) == 0 || (cr0() & CR0_PE) == 0) {
            return raise(UD, 0, 0, 0);
        }
        if (!privileged()) {
            return generalProtection();
        }
        ExitReason reason = ExitReason.of(instruction);
        return svmExit(reason, svmCode(reason), 0, 0);
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

    @Override
    public long vmread() {
        return vmread;
    }

    @Override
    public int vmfunc(int function, int index) {
        if (vmcs == null || !vmcs.enableVmFunctions) {
            return raise(UD, 0, 0, 0);
        }
        boolean enabled = function >= 0 && function < 64 && (vmcs.vmFunctionControls >>> function & 1) != 0;
        if (!enabled || function != 0 || index < 0 || index >= Vmcs.EPTP_LIST_ENTRIES) {
            return exit(ExitReason.VMFUNC, 0);
        }
        long eptp = memory.load64(vmcs.eptpListAddress + 8L * index);
        if (!TranslationRoot.TwoDimensional.allowed(eptp, unit.physicalBits())) {
            return exit(ExitReason.VMFUNC, 0);
        }
        refresh();
        vmcs.eptp = eptp;
        if (vmcs.eptViolationVe) {
            vmcs.eptpIndex = index;
        }
        loadState();
        return charged();
    }

    @Override
    public void vmEntry(Vmcs next) {
        if (inGuest()) {
            throw new IllegalStateException("VM entry while a guest runs: an exit is needed first");
        }
        EntryChecks.check(next, unit.physicalBits());
        EntryChecks.linearBits(next.guestCr4, linearBits);
        if (!next.enableEpt && PagingMode.of(next.guestCr0, next.guestCr4, next.guestEfer) == PagingMode.PAE) {
            next.guestPdptes = EntryChecks.pdptes(readPdptes(next.guestCr3 & Pdptes.TABLE), unit.physicalBits());
        }
        vmcs = next;
        if (next.vpid == 0) {
            unit.invalidations().dropVpid(0);
        }
        loadState();
        line.awaitWindow(next.interruptWindowExiting || next.nmiWindowExiting);
        inject(next.inject, next.injectExternal, next.injectVector, next.injectErrorCode, next.injectAddress);
        injected.nested = next.injectNested;
        next.inject = false;
    }

    private void inject(boolean event, boolean external, int vector, int errorCode, long address) {
        injecting = event;
        if (external) {
            injected.setExternal(vector);
        } else {
            injected.set(vector, errorCode, address);
        }
    }

    @Override
    public GuestException takeInjectedEvent() {
        if (!injecting) {
            return null;
        }
        injecting = false;
        return injected;
    }

    @Override
    public void vmrun(Vmcb next) {
        if (inGuest()) {
            throw new IllegalStateException("VMRUN while a guest runs: an exit is needed first");
        }
        if (next.asid == 0) {
            throw new IllegalStateException("VMRUN with ASID 0, which is the host's");
        }
        if (next.nestedPaging && (next.hostCr0 & CR0_PG) == 0) {
            throw new IllegalStateException("VMRUN with nested paging while the host's CR0.PG is 0");
        }
        EntryChecks.linearBits(registers.paging.cr4() | (next.nestedPaging ? next.hostCr4 : 0), linearBits);
        vmcb = next;
        if (next.tlbControl == Vmcb.TLB_FLUSH_ALL) {
            unit.invalidations().dropAll();
        } else if (next.tlbControl == Vmcb.TLB_FLUSH_ASID) {
            unit.invalidations().dropAsid(next.asid);
        } else if (next.tlbControl == Vmcb.TLB_FLUSH_ASID_BUT_GLOBALS) {
            unit.invalidations().dropAsidButGlobals(next.asid);
        }
        loadState();
        line.awaitWindow(next.interruptWindow || next.iretIntercept);
        inject(next.inject, next.injectExternal, next.injectVector, next.injectErrorCode, next.injectAddress);
        injected.nested = next.injectNested;
        next.inject = false;
    }

    @Override
    public void enterDeprivileged(DeprivilegedGuest next) {
        if (inGuest()) {
            throw new IllegalStateException("IRET to a guest while a guest runs: a trap is needed first");
        }
        if ((next.cr0 & (CR0_PE | CR0_PG)) != (CR0_PE | CR0_PG)) {
            throw new IllegalStateException(String.format("CR0 0x%x: without PE and PG nothing keeps a de-privileged guest in", next.cr0));
        }
        EntryChecks.linearBits(next.cr4, linearBits);
        if (next.flush) {
            unit.invalidations().dropVpid(0);
            next.flush = false;
        }
        if (PagingMode.of(next.cr0, next.cr4, next.efer) == PagingMode.PAE) {
            next.pdptes = EntryChecks.pdptes(readPdptes(next.cr3 & Pdptes.TABLE), unit.physicalBits());
        }
        deprivileged = next;
        loadState();
        line.awaitWindow(false);
        inject(next.inject, next.injectExternal, next.injectVector, next.injectErrorCode, next.injectAddress);
        next.inject = false;
    }

    @Override
    public void dropDeprivileged(long gva) {
        unit.invalidations().dropAddress(0, gva);
    }

    private boolean inGuest() {
        return vmcs != null || vmcb != null || deprivileged != null;
    }

    @Override
    public void invlpga(int asid, long gva) {
        unit.invalidations().dropAddress(asid, gva);
    }

    @Override
    public void invvpidAddress(int vpid, long gva) {
        unit.invalidations().dropAddress(vpid, gva);
    }

    @Override
    public void invvpidContext(int vpid) {
        unit.invalidations().dropVpid(vpid);
    }

    @Override
    public void inveptContext(long eptp) {
        unit.invalidations().dropEptRoot(eptp);
    }

    @Override
    public void invvpidAll() {
        unit.invalidations().dropVpids();
    }

    @Override
    public void invvpidContextRetainingGlobals(int vpid) {
        unit.invalidations().dropVpidButGlobals(vpid);
    }

    @Override
    public void inveptAll() {
        unit.invalidations().dropEptRoots();
    }

    /**
     * Reads the PDPTEs of {@code cr3} for the registers, into {@link #found}: an {@link Outcome}. They are loaded all or none (SDM vol.
     * 3, "PDPTE Registers").
     */
    private int loadPdptes(long cr3) {
        if (nestedPaging()) {
            // They are read by each walk instead, and checked there.
            found = Pdptes.IN_MEMORY;
            return Outcome.DONE;
        }
        long table = cr3 & Pdptes.TABLE;
        long hpa = unit.pdpteTable(table);
        if (hpa < 0) {
            return stageExit(0, 0, false);
        }
        found = readPdptes(hpa);
        return found.allowed(unit.physicalBits()) ? Outcome.DONE : generalProtection();
    }

    private Pdptes readPdptes(long hpa) {
        return new Pdptes(memory.load64(hpa), memory.load64(hpa + 8), memory.load64(hpa + 16), memory.load64(hpa + 24));
    }

    /** Puts what was found into the registers; what the guest sees of them is in {@code state}, unless they serve shadow tables. */
    private PagingState withPdptes(PagingState state) {
        if (vmcs != null) {
            vmcs.guestPdptes = found;
        }
        return vmcs == null || vmcs.enableEpt ? state.withPdptes(found) : state;
    }

    private int generalProtection() {
        return raise(GuestException.GP, 0, 0, 0);
    }

    /** An exception of the guest, or the exit that the exception bitmap makes of it. */
    private int raise(int vector, int errorCode, long address, int access) {
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
    private int excepted(int vector, int errorCode, int access) {
        exit.vector = vector;
        exit.errorCode = errorCode;
        exit.access = access;
        return Outcome.EXIT;
    }

    /** The second dimension refused; {@code linear}: an access to {@code gva}, and not to PDPTEs for the registers. */
    private int stageExit(long gva, int access, boolean linear) {
        long refused = unit.stage().refused;
        if (vmcb != null) {
            long error = StageFaults.nestedPageFault(unit.stage());
            svmExit(ExitReason.NPF, Vmcb.VMEXIT_NPF, error, refused);
            exit.qualification = error;
            exit.guestPhysical = refused;
            exit.access = access;
            return Outcome.EXIT;
        }
        if (unit.stage().reason == Walker.LOG_FULL) {
            exit(ExitReason.PML_FULL, 0);
            exit.access = access;
            return Outcome.EXIT;
        }
        boolean violation = unit.stage().reason != Walker.MALFORMED;
        long qualification = violation ? StageFaults.qualification(unit.stage(), vmcs.modeBasedExecute, linear, unit.lastRights()) : 0;
        boolean convertible = violation && linear && vmcs.eptViolationVe && !unit.stage().suppressVe && (cr0() & CR0_PE) != 0;
        if (convertible && memory.load64(vmcs.veInformationAddress) >>> 32 == 0) {
            return virtualizationException(gva, refused, qualification);
        }
        exit(violation ? ExitReason.EPT_VIOLATION : ExitReason.EPT_MISCONFIG, qualification);
        exit.guestLinear = violation && linear ? gva : 0;
        exit.guestPhysical = refused;
        exit.access = access;
        return Outcome.EXIT;
    }

    /**
     * <pre>
     *  bytes 0–3   48, the basic exit reason of an EPT violation
     *        4–7   FFFFFFFFH, which keeps further ones from the area until software clears it
     *        8–15  exit qualification     16–23  guest-linear address     24–31  guest-physical address
     *        32–33 EPTP index
     * </pre>
     */
    private int virtualizationException(long gva, long gpa, long qualification) {
        long area = vmcs.veInformationAddress;
        memory.store64(area, 0xffff_ffffL << 32 | ExitReason.EPT_VIOLATION.number());
        memory.store64(area + 8, qualification);
        memory.store64(area + 16, gva);
        memory.store64(area + 24, gpa);
        memory.store64(area + 32, memory.load64(area + 32) & -1L << 16 | vmcs.eptpIndex & 0xffff);
        return raise(GuestException.VE, 0, 0, 0);
    }

    /** A #VMEXIT; the record gets {@code info2}, which is an address or nothing, for its qualification. */
    private int svmExit(ExitReason reason, int code, long info1, long info2) {
        vmcb.exitCode = code;
        vmcb.exitInfo1 = info1;
        vmcb.exitInfo2 = info2;
        vmcb = null;
        return left(reason, info2, Work.EXIT);
    }

    /**
     * True if SVM intercepts MOV to CR{@code n}; asked when the value is allowed, since exceptions come first (APM vol. 2, "Instruction
     * Intercepts").
     */
    private boolean writeIntercepted(int n) {
        return vmcb != null && (vmcb.crWriteIntercepts >>> n & 1) != 0;
    }

    private int svmCrAccess(int code, long qualification) {
        svmExit(ExitReason.CR_ACCESS, code, 0, 0);
        exit.qualification = qualification;
        return Outcome.EXIT;
    }

    private int exit(ExitReason reason, long qualification) {
        if (vmcs.vpid == 0) {
            unit.invalidations().dropVpid(0);
        }
        vmcs = null;
        return left(reason, qualification, Work.EXIT);
    }

    /** A de-privileged guest is interrupted: the monitor runs now, at CPL 0. */
    private int trap(ExitReason reason) {
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

    /** True if a privileged operation may be done: a de-privileged guest runs at CPL 3, whatever it believes. */
    private boolean privileged() {
        return deprivileged == null && registers.cpl == 0;
    }

    private int charged() {
        cycles.charge(Work.PRIVILEGED);
        return Outcome.DONE;
    }

    private void set(PagingState state) {
        registers.paging = state;
        loadState();
    }

    /** After an exit nothing is loaded; and whoever owns the register file may have replaced its state, as a boot loader does. */
    private void refresh() {
        if (loaded != registers.paging) {
            EntryChecks.linearBits(registers.paging.cr4(), linearBits);
            loadState();
        }
    }

    private void loadState() {
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
        } else if (vmcs != null && vmcs.enableEpt && vmcs.stageWalker != null) {
            unit.useOwn(vmcs.stageWalker, vmcs.eptp);
            unit.stage().log().use(null);
        } else if (vmcs != null && vmcs.enableEpt) {
            unit.useEpt(vmcs.eptp, vmcs.modeBasedExecute);
            unit.stage().log().use(vmcs);
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

    private boolean nestedPaging() {
        return vmcb != null && vmcb.nestedPaging;
    }

    private PagingMode mode() {
        return PagingMode.of(cr0(), cr4(), efer());
    }

    private long cr0() {
        return vmcs == null ? registers.paging.cr0() : vmcs.guestCr0;
    }

    private long cr3() {
        return vmcs == null ? registers.paging.cr3() : vmcs.guestCr3;
    }

    private long cr4() {
        return vmcs == null ? registers.paging.cr4() : vmcs.guestCr4;
    }

    private long efer() {
        return vmcs == null ? registers.paging.efer() : vmcs.guestEfer;
    }

    @Override
    public RegisterFile registers() {
        return registers;
    }

    @Override
    public FirstLevelTlb dataTlb() {
        return unit.dataTlb();
    }

    @Override
    public FirstLevelTlb instructionTlb() {
        return unit.instructionTlb();
    }

    @Override
    public PhysicalMemory memory() {
        return memory;
    }

    @Override
    public CycleClock cycles() {
        return cycles;
    }

    @Override
    public GuestClock guestTime() {
        return guestTime;
    }

    @Override
    public TranslationObserver observer() {
        return observer;
    }

    @Override
    public GuestException exception() {
        return exception;
    }

    @Override
    public ExitRecord exit() {
        return exit;
    }

    @Override
    public TranslationStatistics statistics() {
        return unit.statistics();
    }
}
