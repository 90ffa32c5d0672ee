package org.penumbra.api.svm;

/**
 * The fields of a virtual machine control block that the processor obeys (APM vol. 2, "VMCB Layout, Control Area"), and the host's
 * registers that VMRUN would keep in the host save area. Held by the virtual machine; the guest's own registers are in its register
 * file. Fields that are absent here stand for intercepts and features that are 0.
 */
public final class Vmcb {
    /** Exit codes (APM vol. 2, "SVM Intercept Exit Codes"): an exception's is this plus its vector. */
    public static final int VMEXIT_EXCP = 0x40;
    public static final int VMEXIT_INTR = 0x60;
    public static final int VMEXIT_NPF = 0x400;

    /** TLB_CONTROL (APM vol. 2, "TLB Control"). */
    public static final int TLB_NOTHING = 0;
    public static final int TLB_FLUSH_ALL = 1;
    public static final int TLB_FLUSH_ASID = 3;
    public static final int TLB_FLUSH_ASID_BUT_GLOBALS = 7;

    /** Bit n intercepts exception n. */
    public int exceptionIntercepts;
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
    /** For exceptions the error code; for nested page faults {@link org.penumbra.api.paging.NestedPageFault}. */
    public long exitInfo1;
    /** For #PF the linear address; for nested page faults the guest-physical address. */
    public long exitInfo2;
}
