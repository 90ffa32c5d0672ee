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
import org.penumbra.api.cpu.FirstLevelTlb;
import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.cpu.InterruptLine;
import org.penumbra.api.cpu.Outcome;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.cpu.TranslationStatistics;
import org.penumbra.api.cpu.WalkListener;
import org.penumbra.api.device.IoPorts;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.observe.TranslationObserver;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.ControlRegisterRules;
import org.penumbra.api.paging.EptViolation;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.vmx.ExitQualification;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vmcs;
import org.penumbra.api.vmx.VmxProcessor;
import org.penumbra.hardware.tlb.TranslationUnit;

/**
 * One logical processor: the privileged operations, and the rules by which they exit.
 *
 * <p>Outside VMX operation (before the first VM entry) the guest-visible registers are the real ones. In non-root operation CR0,
 * CR3, CR4 and EFER are those of the VMCS guest-state area, and a MOV to a control register that does not exit updates both.
 * Faults and exits take the order of SDM vol. 3, "Relative Priority of Faults and VM Exits": privilege first, then the exit,
 * then whether the value is allowed.
 */
final class LogicalProcessor implements VmxProcessor {
    /** EPTP bits 5:0 that are modelled. */
    private static final long WRITE_BACK_4_LEVELS = 3 << 3 | 6;
    private static final long UNCACHEABLE_4_LEVELS = 3 << 3;

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
    /** The state that the translation unit works with. */
    private PagingState loaded;
    private boolean injecting;

    LogicalProcessor(CostProfile profile, PhysicalMemory memory, RegisterFile registers, IoPorts ports, TranslationObserver observer) {
        this.memory = memory;
        this.registers = registers;
        this.ports = ports;
        this.observer = observer;
        this.cycles = new CycleClock(profile);
        this.unit = new TranslationUnit(profile, memory, cycles, observer == null ? null : observer::updated);
    }

    @Override
    public long translate(long gva, int access) {
        refresh();
        long hpa = unit.translate(gva, access);
        if (hpa >= 0) {
            return hpa;
        }
        int outcome;
        if (hpa == TranslationUnit.EPT_REFUSED) {
            outcome = eptExit(gva, access);
        } else if (hpa == TranslationUnit.PAGE_FAULT) {
            outcome = raise(GuestException.PF, unit.errorCode(), gva, access);
        } else {
            outcome = raise(GuestException.GP, 0, 0, access);
        }
        return outcome == Outcome.EXIT ? EXIT : FAULT;
    }

    @Override
    public int movToCr3(long value) {
        if (registers.cpl != 0) {
            return generalProtection();
        }
        if (vmcs != null && vmcs.cr3LoadExiting) {
            return exit(ExitReason.CR_ACCESS, ExitQualification.movToCr(3));
        }
        refresh();
        boolean pcide = (cr4() & CR4_PCIDE) != 0;
        if (!ControlRegisterRules.cr3Allowed(value, cr4(), unit.physicalLimit())) {
            return generalProtection();
        }
        boolean keep = pcide && (value & CR3_NO_FLUSH) != 0;
        long cr3 = pcide ? value & ~CR3_NO_FLUSH : value;
        if (vmcs != null) {
            vmcs.guestCr3 = cr3;
        }
        set(registers.paging.withCr3(cr3));
        if (!keep) {
            unit.dropPcid();
        }
        return privileged();
    }

    @Override
    public int movToCr0(long value) {
        if (registers.cpl != 0) {
            return generalProtection();
        }
        if (vmcs != null && ((value ^ vmcs.cr0ReadShadow) & vmcs.cr0Mask) != 0) {
            return exit(ExitReason.CR_ACCESS, ExitQualification.movToCr(0));
        }
        refresh();
        long old = cr0();
        long real = vmcs == null ? value : old & vmcs.cr0Mask | value & ~vmcs.cr0Mask;
        boolean fixed = vmcs == null || (real & (CR0_PE | CR0_PG)) == (CR0_PE | CR0_PG);
        if (!ControlRegisterRules.cr0Allowed(real, cr4(), efer()) || !fixed) {
            return generalProtection();
        }
        PagingState now = registers.paging;
        if (vmcs != null) {
            vmcs.guestCr0 = real;
        }
        set(new PagingState(value, now.cr3(), now.cr4(), ControlRegisterRules.efer(value, now.efer()), now.pkru(), now.pkrs()));
        if ((old & ~real & CR0_PG) != 0) {
            unit.dropCurrentVpid();
        }
        return privileged();
    }

    /**
     * What a MOV to CR4 drops: SDM vol. 3, "Operations that Invalidate TLBs and Paging-Structure Caches", and for PSE and PAE the
     * wider rule of "Invalidating the Translation Lookaside Buffers (TLBs)".
     */
    @Override
    public int movToCr4(long value) {
        if (registers.cpl != 0) {
            return generalProtection();
        }
        if (vmcs != null && ((value ^ vmcs.cr4ReadShadow) & vmcs.cr4Mask) != 0) {
            return exit(ExitReason.CR_ACCESS, ExitQualification.movToCr(4));
        }
        refresh();
        long old = cr4();
        long real = vmcs == null ? value : old & vmcs.cr4Mask | value & ~vmcs.cr4Mask;
        if (!ControlRegisterRules.cr4Allowed(real, old, cr3(), efer())) {
            return generalProtection();
        }
        if (vmcs != null) {
            vmcs.guestCr4 = real;
        }
        set(registers.paging.withCr4(value));
        if (((old ^ real) & (CR4_PGE | CR4_PSE | CR4_PAE)) != 0 || (old & ~real & CR4_PCIDE) != 0) {
            unit.dropCurrentVpid();
        } else if ((real & ~old & CR4_SMEP) != 0) {
            unit.dropPcidAndGlobals();
        }
        return privileged();
    }

    @Override
    public int invlpg(long gva) {
        if (registers.cpl != 0) {
            return generalProtection();
        }
        if (vmcs != null && vmcs.invlpgExiting) {
            return exit(ExitReason.INVLPG, gva);
        }
        refresh();
        unit.invlpg(gva);
        return privileged();
    }

    @Override
    public int invpcid(int type, long pcid, long gva) {
        throw new UnsupportedOperationException("in progress");
    }

    @Override
    public int wrpkru(int value) {
        throw new UnsupportedOperationException("in progress");
    }

    @Override
    public void listen(WalkListener listener) {
        throw new UnsupportedOperationException("in progress");
    }

    @Override
    public int hlt() {
        if (registers.cpl != 0) {
            return generalProtection();
        }
        return vmcs != null && vmcs.hltExiting ? exit(ExitReason.HLT, 0) : privileged();
    }

    /** IOPL is 0 and there is no I/O permission bitmap, so that only CPL 0 may. */
    @Override
    public int out(int port, int width, long value) {
        if (registers.cpl != 0) {
            return generalProtection();
        }
        if (vmcs != null && vmcs.ioExiting) {
            return exit(ExitReason.IO_INSTRUCTION, ExitQualification.out(port, width));
        }
        ports.out(port, width, value);
        return privileged();
    }

    /** No MSR is there yet that a guest could write without its hypervisor: MSR bitmaps are not used, so that each WRMSR exits. */
    @Override
    public int wrmsr(int msr, long value) {
        if (registers.cpl != 0 || vmcs == null) {
            return generalProtection();
        }
        return exit(ExitReason.MSR_WRITE, 0);
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
            return vmcs == null ? Outcome.DONE : exit(ExitReason.EXTERNAL_INTERRUPT, 0);
        }
        boolean open = vmcs != null && vmcs.interruptWindowExiting && (registers.rflags & ControlBits.RFLAGS_IF) != 0;
        return open ? exit(ExitReason.INTERRUPT_WINDOW, 0) : Outcome.DONE;
    }

    @Override
    public int vmcall() {
        return vmcs != null ? exit(ExitReason.VMCALL, 0) : raise(GuestException.UD, 0, 0, 0);
    }

    @Override
    public void vmEntry(Vmcs next) {
        if (vmcs != null) {
            throw new IllegalStateException("VM entry in non-root operation: an exit is needed first");
        }
        if (next.enableEpt && (next.eptp & 0x3f) != WRITE_BACK_4_LEVELS && (next.eptp & 0x3f) != UNCACHEABLE_4_LEVELS) {
            throw new IllegalStateException(String.format(
                    "EPTP 0x%x is not modelled yet: 4 levels (bits 5:3 = 3) and memory type 0 or 6 (bits 2:0) are needed", next.eptp));
        }
        vmcs = next;
        if (next.vpid == 0) {
            unit.dropVpid(0);
        }
        loadState();
        line.awaitWindow(next.interruptWindowExiting);
        injecting = next.inject;
        if (injecting) {
            next.inject = false;
            if (next.injectExternal) {
                injected.setExternal(next.injectVector);
            } else {
                injected.set(next.injectVector, next.injectErrorCode, next.injectAddress);
            }
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
    public void invvpidAddress(int vpid, long gva) {
        unit.dropAddress(vpid, gva);
    }

    @Override
    public void invvpidContext(int vpid) {
        unit.dropVpid(vpid);
    }

    @Override
    public void inveptContext(long eptp) {
        unit.dropEptRoot(eptp);
    }

    private int generalProtection() {
        return raise(GuestException.GP, 0, 0, 0);
    }

    /** An exception of the guest, or the exit that the exception bitmap makes of it. */
    private int raise(int vector, int errorCode, long address, int access) {
        if (vmcs != null && (vmcs.exceptionBitmap >>> vector & 1) != 0) {
            exit(ExitReason.EXCEPTION_NMI, vector == GuestException.PF ? address : 0);
            exit.vector = vector;
            exit.errorCode = errorCode;
            exit.access = access;
            return Outcome.EXIT;
        }
        exception.set(vector, errorCode, address);
        return Outcome.FAULT;
    }

    private int eptExit(long gva, int access) {
        ExitReason reason = unit.ept().reason;
        long refused = unit.ept().refused;
        boolean violation = reason == ExitReason.EPT_VIOLATION;
        exit(reason, violation ? unit.ept().qualification | EptViolation.LINEAR_VALID : 0);
        exit.guestLinear = violation ? gva : 0;
        exit.guestPhysical = refused;
        exit.access = access;
        return Outcome.EXIT;
    }

    private int exit(ExitReason reason, long qualification) {
        exit.start(reason, qualification);
        cycles.charge(Work.EXIT);
        if (vmcs.vpid == 0) {
            unit.dropVpid(0);
        }
        vmcs = null;
        loaded = null;
        line.awaitWindow(false);
        unit.unload();
        return Outcome.EXIT;
    }

    private int privileged() {
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
            loadState();
        }
    }

    private void loadState() {
        PagingState state = registers.paging;
        boolean ept = vmcs != null && vmcs.enableEpt;
        unit.load(cr0(), cr3(), cr4(), efer(), state.pkru(), state.pkrs(), vmcs == null ? 0 : vmcs.vpid, ept, ept ? vmcs.eptp : 0);
        loaded = state;
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
