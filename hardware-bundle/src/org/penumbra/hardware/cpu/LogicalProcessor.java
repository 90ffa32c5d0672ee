package org.penumbra.hardware.cpu;

import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.clock.GuestClock;
import org.penumbra.api.cpu.FirstLevelTlb;
import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.cpu.HostProcessor;
import org.penumbra.api.cpu.InterruptLine;
import org.penumbra.api.cpu.Outcome;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.cpu.TranslationStatistics;
import org.penumbra.api.cpu.WalkListener;
import org.penumbra.api.deprivileged.DeprivilegedGuest;
import org.penumbra.api.device.IoPorts;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.observe.TranslationObserver;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.ControlRegisterRules;
import org.penumbra.api.svm.Vmcb;
import org.penumbra.api.vmx.ExitQualification;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vmcs;
import org.penumbra.hardware.tlb.TranslationUnit;

/**
 * One logical processor: each operation once for native, VMX and SVM guests and those at CPL 3, by the rules of which of them it exits.
 * {@link Running} knows what runs now, {@link ControlRegisters} and {@link SystemRegisters} what registers do, {@link GuestEntry} how a guest
 * begins, {@link StageExits} what becomes of a refusal of the second dimension, {@link VirtualizationInstructions} what a guest meets that
 * uses VMX or SVM itself.
 *
 * <p>Outside VMX operation (before the first VM entry) the guest-visible registers are the real ones.
 * Faults and exits take the order of SDM vol. 3, "Relative Priority of Faults and VM Exits": privilege first, then the exit,
 * then whether the value is allowed. A guest of SVM has its registers in the register file alone; of its
 * operations those exit whose intercepts there are. One thread.
 */
final class LogicalProcessor implements HostProcessor {
    private final PhysicalMemory memory;
    private final RegisterFile registers;
    private final IoPorts ports;
    private final TranslationObserver observer;
    private final CycleClock cycles;
    private final GuestClock guestTime = new GuestClock();
    private final TranslationUnit unit;
    private final Running running;
    private final StageExits stageExits;
    private final ControlRegisters controlRegisters;
    private final SystemRegisters systemRegisters;
    private final VirtualizationInstructions virtualization;
    private final GuestEntry entry;

    LogicalProcessor(CostProfile profile, PhysicalMemory memory, RegisterFile registers, IoPorts ports, TranslationObserver observer) {
        this.memory = memory;
        this.registers = registers;
        this.ports = ports;
        this.observer = observer;
        cycles = new CycleClock(profile);
        unit = new TranslationUnit(profile, memory, cycles, observer == null ? null : observer::updated);
        running = new Running(registers, unit, cycles, (int) profile.figure("cpu.linear-address-bits"));
        stageExits = new StageExits(running, unit, memory);
        controlRegisters = new ControlRegisters(running, registers, unit, memory, stageExits);
        systemRegisters = new SystemRegisters(running, registers, unit, guestTime);
        virtualization = new VirtualizationInstructions(running, registers, unit, memory);
        entry = new GuestEntry(running, registers, unit, memory);
    }

    @Override
    public long translate(long gva, int access) {
        running.refresh();
        long hpa = unit.translate(gva, running.deprivileged == null ? access : access & ~Access.AC | Access.USER);
        if (hpa >= 0) {
            return hpa;
        }
        int outcome;
        if (hpa == TranslationUnit.REFUSED) {
            outcome = stageExits.raise(gva, access, true);
        } else if (hpa == TranslationUnit.PAGE_FAULT) {
            outcome = running.raise(GuestException.PF, unit.errorCode(), gva, access);
        } else if (hpa == TranslationUnit.OWED) {
            running.exit(ExitReason.EXCEPTION_NMI, gva);
            outcome = running.excepted(GuestException.PF, unit.errorCode(), access);
        } else {
            outcome = running.raise(GuestException.GP, 0, 0, access);
        }
        return outcome == Outcome.EXIT ? EXIT : FAULT;
    }

    @Override
    public int movToCr0(long value) {
        return controlRegisters.movToCr0(value);
    }

    @Override
    public int movToCr3(long value) {
        return controlRegisters.movToCr3(value);
    }

    @Override
    public int movToCr4(long value) {
        return controlRegisters.movToCr4(value);
    }

    @Override
    public int movToCr8(long value) {
        return controlRegisters.movToCr8(value);
    }

    @Override
    public int movFromCr3() {
        return controlRegisters.movFromCr3();
    }

    @Override
    public int movFromCr8() {
        return controlRegisters.movFromCr8();
    }

    @Override
    public int invlpg(long gva) {
        if (!running.privileged()) {
            return running.generalProtection();
        }
        if (running.vmcs != null && running.vmcs.invlpgExiting) {
            return running.exit(ExitReason.INVLPG, gva);
        }
        if (running.vmcb != null && running.vmcb.invlpgIntercept) {
            return running.svmExit(ExitReason.INVLPG, Vmcb.VMEXIT_INVLPG, 0, 0, gva);
        }
        running.refresh();
        unit.invlpg(gva);
        return running.charged();
    }

    @Override
    public int invpcid(int type, long ofPcid, long gva) {
        if (!running.privileged()) {
            return running.generalProtection();
        }
        if (running.vmcs != null && running.vmcs.invlpgExiting) {
            return running.exit(ExitReason.INVPCID, 0);
        }
        if (running.vmcb != null && running.vmcb.invpcidIntercept) {
            return running.svmExit(ExitReason.INVPCID, Vmcb.VMEXIT_INVPCID, 0, 0);
        }
        running.refresh();
        if (!ControlRegisterRules.invpcidAllowed(type, ofPcid, gva, running.cr4(), running.mode())) {
            return running.generalProtection();
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
        return running.charged();
    }

    @Override
    public int wrpkru(int value) {
        if (running.deprivileged != null || (running.cr4() & ControlBits.CR4_PKE) == 0) {
            return running.raise(GuestException.UD, 0, 0, 0);
        }
        running.set(registers.paging.withPkru(value));
        return Outcome.DONE;
    }

    @Override
    public void listen(WalkListener listener) {
        unit.listen(listener);
    }

    @Override
    public int changePrivilege(int cpl, long rflags) {
        if (running.deprivileged != null) {
            return running.generalProtection();
        }
        registers.cpl = cpl;
        registers.rflags = rflags;
        return Outcome.DONE;
    }

    @Override
    public int hlt() {
        if (!running.privileged()) {
            return running.generalProtection();
        }
        if (running.vmcb != null && running.vmcb.hltIntercept) {
            return running.svmExit(ExitReason.HLT, Vmcb.VMEXIT_HLT, 0, 0);
        }
        return running.vmcs != null && running.vmcs.hltExiting ? running.exit(ExitReason.HLT, 0) : running.charged();
    }

    @Override
    public int taskSwitch(int selector, int source) {
        long qualification = (long) source << 30 | selector & 0xffff;
        if (running.vmcs != null) {
            return running.exit(ExitReason.TASK_SWITCH, qualification);
        }
        if (running.vmcb != null) {
            return running.svmExit(ExitReason.TASK_SWITCH, Vmcb.VMEXIT_TASK_SWITCH, selector, 0, qualification);
        }
        return running.charged();
    }

    @Override
    public int out(int port, int width, long value) {
        if (ioRefused()) {
            return running.generalProtection();
        }
        if (ioIntercepted()) {
            return ioExit(ExitQualification.out(port, width), (long) port << 16 | width << 4);
        }
        ports.out(port, width, value);
        return running.charged();
    }

    @Override
    public int in(int port, int width) {
        if (ioRefused()) {
            return running.generalProtection();
        }
        if (ioIntercepted()) {
            return ioExit(ExitQualification.in(port, width), (long) port << 16 | width << 4 | 1);
        }
        running.result = ports.in(port, width);
        return running.charged();
    }

    /** By the privilege level, where the engine has not found that the I/O permission bitmap permits it (SDM vol. 1, "I/O Privilege Level"). */
    private boolean ioRefused() {
        boolean above = registers.cpl > (registers.rflags >>> 12 & 3) && !registers.system.portsPermitted;
        return running.deprivileged != null || above;
    }

    private boolean ioIntercepted() {
        return running.vmcs != null && running.vmcs.ioExiting || running.vmcb != null && running.vmcb.ioioIntercept;
    }

    private int ioExit(long qualification, long info1) {
        return running.vmcs != null
                ? running.exit(ExitReason.IO_INSTRUCTION, qualification)
                : running.svmExit(ExitReason.IO_INSTRUCTION, Vmcb.VMEXIT_IOIO, info1, 0, qualification);
    }

    @Override
    public long result() {
        return running.result;
    }

    @Override
    public int rdmsr(int msr) {
        return systemRegisters.rdmsr(msr);
    }

    @Override
    public int wrmsr(int msr, long value) {
        return systemRegisters.wrmsr(msr, value);
    }

    @Override
    public int cpuid() {
        return systemRegisters.cpuid();
    }

    @Override
    public void hostCpuid(int leaf, int subleaf, int[] into) {
        systemRegisters.answer(leaf, subleaf, into);
    }

    @Override
    public int xsetbv(int register, long value) {
        return systemRegisters.xsetbv(register, value);
    }

    /** A VMCB without the intercept would have the machine reset, which nobody here does. */
    @Override
    public int tripleFault() {
        if (running.vmcs != null) {
            return running.exit(ExitReason.TRIPLE_FAULT, 0);
        }
        return running.vmcb != null ? running.svmExit(ExitReason.TRIPLE_FAULT, Vmcb.VMEXIT_SHUTDOWN, 0, 0) : Outcome.FAULT;
    }

    @Override
    public InterruptLine interruptLine() {
        return running.line;
    }

    /** An external interrupt has priority over the interrupt window (SDM vol. 3, "Priority Among Concurrent Events"). */
    @Override
    public int interrupted() {
        if (running.line.requested()) {
            running.line.acknowledge();
            if (running.vmcb != null) {
                return running.svmExit(ExitReason.EXTERNAL_INTERRUPT, Vmcb.VMEXIT_INTR, 0, 0);
            }
            if (running.deprivileged != null) {
                return running.trap(ExitReason.EXTERNAL_INTERRUPT);
            }
            return running.vmcs == null ? Outcome.DONE : running.exit(ExitReason.EXTERNAL_INTERRUPT, 0);
        }
        if (registers.system.interruptShadow) {
            return Outcome.DONE;
        }
        if (!registers.system.nmiBlocked && running.vmcs != null && running.vmcs.nmiWindowExiting) {
            return running.exit(ExitReason.NMI_WINDOW, 0);
        }
        if (!registers.system.nmiBlocked && running.vmcb != null && running.vmcb.iretIntercept) {
            return running.svmExit(ExitReason.NMI_WINDOW, Vmcb.VMEXIT_IRET, 0, 0);
        }
        if ((registers.rflags & ControlBits.RFLAGS_IF) == 0) {
            return Outcome.DONE;
        }
        if (running.vmcb != null && running.vmcb.interruptWindow) {
            return running.svmExit(ExitReason.INTERRUPT_WINDOW, Vmcb.VMEXIT_VINTR, 0, 0);
        }
        return running.vmcs != null && running.vmcs.interruptWindowExiting ? running.exit(ExitReason.INTERRUPT_WINDOW, 0) : Outcome.DONE;
    }

    @Override
    public int vmcall() {
        return virtualization.vmcall();
    }

    @Override
    public int vmx(int instruction, int field, long value) {
        return virtualization.vmx(instruction, field, value);
    }

    @Override
    public long vmread() {
        return virtualization.vmread();
    }

    @Override
    public int svm(int instruction) {
        return virtualization.svm(instruction);
    }

    @Override
    public int vmfunc(int function, int index) {
        return virtualization.vmfunc(function, index);
    }

    @Override
    public void vmEntry(Vmcs next) {
        entry.vmEntry(next);
    }

    @Override
    public void vmrun(Vmcb next) {
        entry.vmrun(next);
    }

    @Override
    public void enterDeprivileged(DeprivilegedGuest next) {
        entry.enterDeprivileged(next);
    }

    @Override
    public GuestException takeInjectedEvent() {
        return entry.takeInjectedEvent();
    }

    @Override
    public void dropDeprivileged(long gva) {
        unit.invalidations().dropAddress(0, gva);
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
        return running.exception;
    }

    @Override
    public ExitRecord exit() {
        return running.exit;
    }

    @Override
    public TranslationStatistics statistics() {
        return unit.statistics();
    }
}
