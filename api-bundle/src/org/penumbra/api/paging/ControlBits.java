package org.penumbra.api.paging;

/** The bits of CR0, CR4, EFER and CR3 that paging depends on (SDM vol. 3, "Paging Modes and Control Bits"). */
public final class ControlBits {
    public static final long CR0_PE = 1L;
    public static final long CR0_WP = 1L << 16;
    public static final long CR0_PG = 1L << 31;

    public static final long CR4_PSE = 1L << 4;
    public static final long CR4_PAE = 1L << 5;
    public static final long CR4_PGE = 1L << 7;
    public static final long CR4_LA57 = 1L << 12;
    public static final long CR4_VMXE = 1L << 13;
    public static final long CR4_PCIDE = 1L << 17;
    public static final long CR4_SMEP = 1L << 20;
    public static final long CR4_SMAP = 1L << 21;
    public static final long CR4_PKE = 1L << 22;
    public static final long CR4_PKS = 1L << 24;

    public static final long EFER_LME = 1L << 8;
    public static final long EFER_LMA = 1L << 10;
    public static final long EFER_NXE = 1L << 11;
    /** SVM is enabled. */
    public static final long EFER_SVME = 1L << 12;

    /** CR3 bits 11:0 hold the PCID while CR4.PCIDE = 1. */
    public static final long CR3_PCID = 0xfff;
    /** Operand bit 63 of MOV to CR3: keep the TLB entries of the PCID. */
    public static final long CR3_NO_FLUSH = 1L << 63;

    /** CF, PF, AF, ZF, SF and OF, by which VMX instructions tell how they went: CF fails without a current VMCS, ZF with one. */
    public static final long RFLAGS_STATUS = 1 | 1 << 2 | 1 << 4 | 1 << 6 | 1 << 7 | 1 << 11;
    public static final long RFLAGS_CF = 1;
    public static final long RFLAGS_ZF = 1 << 6;
    /** RFLAGS.IF: maskable external interrupts are delivered. */
    public static final long RFLAGS_IF = 1L << 9;
    /** EFLAGS.AC. */
    public static final long RFLAGS_AC = 1L << 18;

    private ControlBits() {}
}
