package org.penumbra.api.cpu;

/** Numbers of model-specific registers (SDM vol. 4, "IA-32 Architectural MSRs"). */
public final class Msr {
    public static final int IA32_MTRRCAP = 0xfe;
    /** IA32_MTRR_PHYSBASE0; the mask follows it, then the next pair. */
    public static final int IA32_MTRR_PHYSBASE0 = 0x200;
    public static final int IA32_PAT = 0x277;
    public static final int IA32_MTRR_DEF_TYPE = 0x2ff;
    public static final int IA32_PKRS = 0x6e1;
    public static final int X2APIC_EOI = 0x80b;
    public static final int IA32_EFER = 0xc000_0080;

    private Msr() {}
}
