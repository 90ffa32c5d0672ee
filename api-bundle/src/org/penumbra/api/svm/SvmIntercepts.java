package org.penumbra.api.svm;

/**
 * Intercepts in a VMCB (APM vol. 2, appendix "Layout of VMCB"): the bit of an exit code in its word, and names of those that guests here use.
 * Exit codes 0 to 1Fh are those of {@link VmcbField#INTERCEPT_CR}, 40h to 5Fh of exceptions, and 60h, 80h and A0h begin the three words of
 * others.
 */
public final class SvmIntercepts {
    /** Of {@link VmcbField#INTERCEPT_MISC1}. */
    public static final long INTR = bit(Vmcb.VMEXIT_INTR);
    public static final long HLT = bit(Vmcb.VMEXIT_HLT);
    public static final long INVLPG = bit(Vmcb.VMEXIT_INVLPG);
    public static final long IOIO = bit(Vmcb.VMEXIT_IOIO);
    public static final long MSR = bit(Vmcb.VMEXIT_MSR);
    /** Of {@link VmcbField#INTERCEPT_MISC2}. */
    public static final long VMRUN = bit(Vmcb.VMEXIT_VMRUN);
    public static final long VMMCALL = bit(Vmcb.VMEXIT_VMMCALL);
    public static final long CLGI = bit(Vmcb.VMEXIT_CLGI);

    private SvmIntercepts() {}

    /** The bit of {@code exitCode} in the word that it belongs to. */
    public static long bit(int exitCode) {
        return 1L << (exitCode & 31);
    }

    /** Of {@link VmcbField#INTERCEPT_CR}: writes of CR{@code n}. */
    public static long crWrite(int n) {
        return bit(Vmcb.VMEXIT_CR_WRITE + n);
    }
}
