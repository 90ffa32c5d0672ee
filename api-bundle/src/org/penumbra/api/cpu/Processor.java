package org.penumbra.api.cpu;

import org.osgi.annotation.versioning.ProviderType;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.clock.GuestClock;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.observe.TranslationObserver;
import org.penumbra.api.vmx.ExitRecord;

/**
 * A logical processor as an execution engine uses it: translation, and the privileged operations, each defined once. In VMX
 * non-root operation any of them may exit instead of taking effect, by the rules of SDM vol. 3, "Instructions That Cause VM
 * Exits"; outside VMX operation none does. Every method is called by the thread that runs the vCPU.
 */
@ProviderType
public interface Processor {
    /** Answers of {@link #translate} that are no address. */
    long FAULT = -1;
    long EXIT = -2;

    /** The registers of the vCPU that runs now. */
    RegisterFile registers();

    /** First-level TLB for data accesses. */
    FirstLevelTlb dataTlb();

    /** First-level TLB for instruction fetches. */
    FirstLevelTlb instructionTlb();

    /** The memory behind translated addresses. */
    PhysicalMemory memory();

    CycleClock cycles();

    GuestClock guestTime();

    /** Whoever compares this run with the specification; null on an unchecked run. */
    TranslationObserver observer();

    /**
     * Resolves a first-level TLB miss: second-level TLB, paging-structure caches, walk; fills the TLBs.
     *
     * @return the hpa, {@link #FAULT} with {@link #exception()} set, or {@link #EXIT} with {@link #exit()} set
     */
    long translate(long gva, int access);

    /** MOV to CR3. {@code value} bit 63 asks to keep the PCID's entries. An {@link Outcome}. */
    int movToCr3(long value);

    /** MOV to CR0. An {@link Outcome}. */
    int movToCr0(long value);

    /** MOV to CR4. An {@link Outcome}. */
    int movToCr4(long value);

    /** INVLPG. An {@link Outcome}. */
    int invlpg(long gva);

    /**
     * INVPCID of {@code type} (0 to 3) with the descriptor's {@code pcid} and {@code gva}. An {@link Outcome}; #GP as the SDM
     * says (vol. 2, "INVPCID—Invalidate Process-Context Identifier").
     */
    int invpcid(int type, long pcid, long gva);

    /** WRPKRU of {@code value}: allowed at every privilege level. An {@link Outcome}; #UD while CR4.PKE = 0. */
    int wrpkru(int value);

    /**
     * XSETBV of {@code value} to extended control register {@code register}. An {@link Outcome}; #GP unprivileged and where XCR0 must not have that
     * value. In VMX non-root operation it always exits. Whether CR4.OSXSAVE = 1 is for the engine to look at.
     */
    int xsetbv(int register, long value);

    /**
     * SYSCALL, SYSRET, IRET or CLI: makes {@code cpl} and {@code rflags} those of the guest. An {@link Outcome}; DONE unless the guest is
     * de-privileged. Costs nothing by itself: delivery of events has a price that includes their IRET.
     */
    int changePrivilege(int cpl, long rflags);

    /** JMP, CALL, IRET and an event through a task gate, as sources of a task switch: bits 31:30 of the exit qualification. */
    int BY_CALL = 0;
    int BY_IRET = 1;
    int BY_JUMP = 2;
    int BY_GATE = 3;

    /**
     * A task switch to the TSS {@code selector}, found to be allowed, is about to begin. An {@link Outcome}; in VMX non-root operation it always
     * exits (SDM vol. 3, "Treatment of Task Switches").
     */
    default int taskSwitch(int selector, int source) {
        throw new UnsupportedOperationException("no task switches here");
    }

    /** HLT. An {@link Outcome}; DONE means the processor is halted now. */
    int hlt();

    /** OUT of {@code width} (1, 2 or 4) bytes. An {@link Outcome}. */
    int out(int port, int width, long value);

    /**
     * IN of {@code width} (1, 2 or 4) bytes; {@link #result()} is what was read. An {@link Outcome}. As for OUT, whether the I/O
     * permission bitmap lets an unprivileged program is for the engine to look at.
     */
    int in(int port, int width);

    /** MOV from CR3, whose value is {@link #result()}. An {@link Outcome}. */
    int movFromCr3();

    /** MOV to CR8, the class of the task priority: #GP above 15. An {@link Outcome}; in VMX non-root operation it exits here. */
    default int movToCr8(long value) {
        throw new UnsupportedOperationException("no CR8 here");
    }

    /** MOV from CR8, whose value is {@link #result()}. An {@link Outcome}. */
    default int movFromCr8() {
        throw new UnsupportedOperationException("no CR8 here");
    }

    /** What the last {@link #in} or {@link #movFromCr3} that was DONE has read. */
    long result();

    /** RDMSR of {@code msr}, into EDX:EAX. An {@link Outcome}; #GP where the processor has no such MSR. */
    int rdmsr(int msr);

    /** CPUID with the leaf in EAX and the subleaf in ECX. An {@link Outcome}; in VMX non-root operation it always exits. */
    int cpuid();

    /** CPUID as this processor answers it outside VMX operation: EAX, EBX, ECX, EDX of {@code leaf} and {@code subleaf} into {@code answer}. */
    void hostCpuid(int leaf, int subleaf, int[] answer);

    /**
     * Shutdown after a fault in the delivery of a double fault: EXIT, or FAULT where there is nobody to exit to (SDM vol. 3, "Interrupt 8 —
     * Double Fault Exception").
     */
    int tripleFault();

    /** WRMSR of {@code value} to {@code msr}. An {@link Outcome}; #GP where the processor has no such MSR. */
    int wrmsr(int msr, long value);

    /** The line through which other threads interrupt this processor. */
    InterruptLine interruptLine();

    /**
     * Takes what the line asks for, between two operations: EXIT for an external interrupt in non-root operation
     * ("external-interrupt exiting" is 1), or when an interrupt window opened (SDM vol. 3, "Other Causes of VM Exits"); DONE if
     * the next operation follows.
     */
    int interrupted();

    /** VMCALL. An {@link Outcome}; #UD outside VMX operation. */
    int vmcall();

    /**
     * A VMX instruction of a guest that is a hypervisor: VMXON, VMXOFF, VMCLEAR, VMPTRLD, VMREAD, VMWRITE, VMLAUNCH, VMRESUME, INVEPT or
     * INVVPID. In VMX non-root operation each exits, whatever the privilege (SDM vol. 3, "VMX Instructions"), but for VMREAD and VMWRITE of
     * a field in a shadow VMCS. VMFUNC, with EAX in {@code field} and ECX in {@code value}, is as {@link #vmfunc} says. An {@link Outcome}; #UD elsewhere, since VMX root operation of a guest without a hypervisor is not modelled.
     *
     * @param instruction number of its {@link org.penumbra.api.vmx.ExitReason}
     * @param field encoding of the field of VMREAD and VMWRITE
     * @param value source of VMWRITE
     */
    int vmx(int instruction, int field, long value);

    /**
     * An instruction of SVM for a guest that is a hypervisor: VMRUN, VMLOAD, VMSAVE, STGI, CLGI or INVLPGA, with its operands in RAX and RCX.
     * In a guest of SVM each exits after the checks of EFER.SVME and CPL (APM vol. 2, "Instruction Intercepts"). An {@link Outcome}; #UD
     * elsewhere, since SVM for a guest without a hypervisor is not modelled.
     *
     * @param instruction number of its {@link org.penumbra.api.vmx.ExitReason}
     */
    int svm(int instruction);

    /** What the last VMREAD that was done by the processor itself has read. */
    long vmread();

    /**
     * VMFUNC of {@code function} (EAX) with {@code index} (ECX), at any CPL. An {@link Outcome}; #UD unless a guest runs with "enable VM
     * functions". Function 0, EPTP switching, makes entry {@code index} of the EPTP list the current EPTP (SDM vol. 3, "VM Functions"); it
     * drops nothing, since what is cached is tagged by the EPT root.
     */
    int vmfunc(int function, int index);

    /** The exception behind the last FAULT; valid until the next operation. */
    GuestException exception();

    /** The exit behind the last EXIT; valid until the next entry. */
    ExitRecord exit();

    /**
     * An exception or external interrupt that VM entry injects, to be delivered before the next operation; null if there is none. Taking it consumes it.
     */
    GuestException takeInjectedEvent();

    /** Has {@code listener} told of each step of translation from now on; null for nobody. */
    void listen(WalkListener listener);

    /** What this processor has counted so far. */
    TranslationStatistics statistics();
}
