package org.penumbra.api.svm;

/**
 * The fields of a virtual machine control block that the processor obeys (APM vol. 2, "VMCB Layout, Control Area"), and the host's
 * registers that VMRUN would keep in the host save area. Held by the virtual machine; the guest's own registers are in its register
 * file, EFER.SVME included, which decides whether that has SVM. Fields that are absent here stand for intercepts and features that are 0,
 * but for the intercepts of interrupts and of SVM's own instructions, which are 1.
 */
public final class Vmcb {
    /** Exit codes (APM vol. 2, appendix "SVM Intercept Exit Codes"): of a control register or an exception its number is added. */
    public static final int VMEXIT_CR_READ = 0x00;
    public static final int VMEXIT_CR8_READ = 0x08;
    public static final int VMEXIT_CR_WRITE = 0x10;
    public static final int VMEXIT_CR8_WRITE = 0x18;
    public static final int VMEXIT_EXCP = 0x40;
    public static final int VMEXIT_INTR = 0x60;
    public static final int VMEXIT_VINTR = 0x64;
    public static final int VMEXIT_CPUID = 0x72;
    public static final int VMEXIT_IRET = 0x74;
    public static final int VMEXIT_HLT = 0x78;
    public static final int VMEXIT_INVLPG = 0x79;
    public static final int VMEXIT_INVLPGA = 0x7a;
    public static final int VMEXIT_IOIO = 0x7b;
    public static final int VMEXIT_MSR = 0x7c;
    public static final int VMEXIT_TASK_SWITCH = 0x7d;
    public static final int VMEXIT_SHUTDOWN = 0x7f;
    public static final int VMEXIT_VMRUN = 0x80;
    public static final int VMEXIT_VMMCALL = 0x81;
    public static final int VMEXIT_VMLOAD = 0x82;
    public static final int VMEXIT_VMSAVE = 0x83;
    public static final int VMEXIT_STGI = 0x84;
    public static final int VMEXIT_CLGI = 0x85;
    public static final int VMEXIT_XSETBV = 0x8d;
    public static final int VMEXIT_INVPCID = 0xa2;
    public static final int VMEXIT_NPF = 0x400;
    /** The VMCB is not consistent. */
    public static final int VMEXIT_INVALID = -1;

    /** TLB_CONTROL (APM vol. 2, "TLB Control"). */
    public static final int TLB_NOTHING = 0;
    public static final int TLB_FLUSH_ALL = 1;
    public static final int TLB_FLUSH_ASID = 3;
    public static final int TLB_FLUSH_ASID_BUT_GLOBALS = 7;

    /** Bit n intercepts exception n. */
    public int exceptionIntercepts;
    /** Bit n intercepts MOV from CRn, or to it, n being 0, 3 or 4. */
    public int crReadIntercepts;
    public int crWriteIntercepts;
    public boolean invlpgIntercept;
    public boolean invpcidIntercept;
    /** Intercepts of instructions: HLT, VMMCALL, IN and OUT on every port, RDMSR and WRMSR of every MSR. */
    public boolean hltIntercept;
    public boolean cpuidIntercept;
    public boolean vmmcallIntercept;
    public boolean xsetbvIntercept;
    public boolean ioioIntercept;
    public boolean msrIntercept;
    /**
     * V_IRQ = 1 and the VINTR intercept, with a priority above the guest's: exits as soon as RFLAGS.IF = 1 at an operation boundary
     * (APM vol. 2, "Virtual Interrupt Intercept"). KVM: {@code svm_set_vintr}.
     */
    public boolean interruptWindow;
    /**
     * The intercept of IRET, by which a hypervisor learns that NMIs are not blocked any more (APM vol. 2, "NMI Support"). The exit comes when IRET
     * has retired: the single step over it, which KVM makes ({@code svm_enable_nmi_window}), is in it.
     */
    public boolean iretIntercept;
    /** EVENTINJ: an event to be injected by the next VMRUN, an external interrupt or an exception. */
    public boolean inject;
    public boolean injectExternal;
    /** A guest that is a hypervisor injects it, for what its own tables say: see {@link org.penumbra.api.cpu.GuestException#nested}. */
    public boolean injectNested;
    public int injectVector;
    public int injectErrorCode;
    /** With an injected #PF: the guest's CR2. */
    public long injectAddress;

    /** NP_ENABLE, and the root of the nested tables. */
    public boolean nestedPaging;
    public long nCr3;
    /** Address-space identifier; 0 is the host's. */
    public int asid = 1;
    /** What VMRUN drops from the TLB: one of the TLB constants. */
    public int tlbControl;
    /** The host's registers at VMRUN: nested tables have the format of its paging mode. */
    public long hostCr0;
    public long hostCr4;
    public long hostEfer;

    /** After #VMEXIT: why. */
    public int exitCode;
    /**
     * For exceptions the error code; for nested page faults {@link org.penumbra.api.paging.NestedPageFault}; for WRMSR 1; for OUT port
     * and width (APM vol. 2, "IOIO Intercepts"): bits 31:16 port, 6:4 width as 1, 2 or 4, bit 0 direction, 0 = OUT.
     */
    public long exitInfo1;
    /** For #PF the linear address; for nested page faults the guest-physical address. */
    public long exitInfo2;
}
