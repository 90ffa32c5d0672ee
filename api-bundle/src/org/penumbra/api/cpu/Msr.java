package org.penumbra.api.cpu;

/** Numbers of model-specific registers (SDM vol. 4, "IA-32 Architectural MSRs"). */
public final class Msr {
    public static final int IA32_TSC = 0x10;
    public static final int IA32_APIC_BASE = 0x1b;
    public static final int IA32_TSC_ADJUST = 0x3b;
    public static final int IA32_BIOS_SIGN_ID = 0x8b;
    public static final int IA32_SYSENTER_CS = 0x174;
    public static final int IA32_SYSENTER_ESP = 0x175;
    public static final int IA32_SYSENTER_EIP = 0x176;
    public static final int IA32_MCG_CAP = 0x179;
    public static final int IA32_MCG_STATUS = 0x17a;
    public static final int IA32_MISC_ENABLE = 0x1a0;
    public static final int IA32_DEBUGCTL = 0x1d9;
    public static final int IA32_MTRRCAP = 0xfe;
    /** IA32_MTRR_PHYSBASE0; the mask follows it, then the next pair. */
    public static final int IA32_MTRR_PHYSBASE0 = 0x200;
    public static final int IA32_PAT = 0x277;
    public static final int IA32_MTRR_DEF_TYPE = 0x2ff;
    public static final int IA32_PKRS = 0x6e1;
    public static final int X2APIC_EOI = 0x80b;
    public static final int IA32_EFER = 0xc000_0080;
    public static final int IA32_STAR = 0xc000_0081;
    public static final int IA32_LSTAR = 0xc000_0082;
    public static final int IA32_CSTAR = 0xc000_0083;
    public static final int IA32_FMASK = 0xc000_0084;
    public static final int IA32_FS_BASE = 0xc000_0100;
    public static final int IA32_GS_BASE = 0xc000_0101;
    public static final int IA32_KERNEL_GS_BASE = 0xc000_0102;
    public static final int IA32_TSC_AUX = 0xc000_0103;

    /** Where VMRUN may save what the host is (APM vol. 2, "VM_HSAVE_PA MSR"). */
    public static final int VM_HSAVE_PA = 0xc001_0117;

    private Msr() {}
}
