package org.penumbra.api.cpu;

import org.penumbra.api.paging.ControlBits;

/**
 * The model-specific registers that are plain registers of a vCPU: those of SYSCALL and SYSENTER, the segment bases, those of the time-stamp
 * counter, and such as say that there is nothing: no bank that reports machine checks (IA32_MCG_CAP), no microcode update, no branch trace.
 * Who executes WRMSR asks here after the MSRs with rules of their own.
 *
 * <pre>
 *  IA32_MISC_ENABLE   written and kept, without effect as under KVM: 0 fast strings   3 thermal control   16 SpeedStep   18 MONITOR   22 limit of CPUID
 *                     23 no xTPR messages   34 no execute-disable       read only: 7 performance monitoring (0)   11 no BTS (1)   12 no PEBS (1)
 * </pre>
 */
public final class SystemMsrs {
    static final long MISC_ENABLE_AT_RESET = 1 | 1 << 11 | 1 << 12;
    private static final long MISC_ENABLE_WRITABLE = 1 | 1 << 3 | 1 << 16 | 1 << 18 | 1 << 22 | 1 << 23 | 1L << 34;

    private SystemMsrs() {}

    /** True if {@code msr} is one of them. */
    public static boolean has(int msr) {
        switch (msr) {
            case Msr.IA32_TSC:
            case Msr.IA32_TSC_ADJUST:
            case Msr.IA32_BIOS_SIGN_ID:
            case Msr.IA32_MCG_CAP:
            case Msr.IA32_MCG_STATUS:
            case Msr.IA32_MISC_ENABLE:
            case Msr.IA32_DEBUGCTL:
            case Msr.IA32_SYSENTER_CS:
            case Msr.IA32_SYSENTER_ESP:
            case Msr.IA32_SYSENTER_EIP:
            case Msr.IA32_STAR:
            case Msr.IA32_LSTAR:
            case Msr.IA32_CSTAR:
            case Msr.IA32_FMASK:
            case Msr.IA32_FS_BASE:
            case Msr.IA32_GS_BASE:
            case Msr.IA32_KERNEL_GS_BASE:
            case Msr.IA32_TSC_AUX:
                return true;
            default:
                return false;
        }
    }

    /** The value of {@code msr}, which is one of them, after {@code retired} instructions. */
    public static long read(RegisterFile registers, int msr, long retired) {
        SystemRegisters s = registers.system;
        switch (msr) {
            case Msr.IA32_TSC:
                return retired + s.tscOffset;
            case Msr.IA32_TSC_ADJUST:
                return s.tscAdjust;
            case Msr.IA32_MISC_ENABLE:
                return s.miscEnable;
            case Msr.IA32_BIOS_SIGN_ID:
            case Msr.IA32_MCG_CAP:
            case Msr.IA32_MCG_STATUS:
            case Msr.IA32_DEBUGCTL:
                return 0;
            case Msr.IA32_SYSENTER_CS:
                return s.sysenterCs;
            case Msr.IA32_SYSENTER_ESP:
                return s.sysenterEsp;
            case Msr.IA32_SYSENTER_EIP:
                return s.sysenterEip;
            case Msr.IA32_STAR:
                return s.star;
            case Msr.IA32_LSTAR:
                return s.lstar;
            case Msr.IA32_CSTAR:
                return s.cstar;
            case Msr.IA32_FMASK:
                return s.fmask;
            case Msr.IA32_FS_BASE:
                return registers.segments.base[Segments.FS];
            case Msr.IA32_GS_BASE:
                return registers.segments.base[Segments.GS];
            case Msr.IA32_KERNEL_GS_BASE:
                return s.kernelGsBase;
            case Msr.IA32_TSC_AUX:
                return s.tscAux;
            default:
                throw new IllegalArgumentException("no system MSR " + Integer.toHexString(msr));
        }
    }

    /**
     * Writes {@code value} to {@code msr}, which is one of them.
     *
     * @return false, and nothing is written, if the value is #GP(0): an address that is not canonical, a reserved bit (SDM vol. 4)
     */
    public static boolean write(RegisterFile registers, int msr, long value, long retired) {
        SystemRegisters s = registers.system;
        switch (msr) {
            case Msr.IA32_TSC:
                adjust(s, value - retired - s.tscOffset);
                return true;
            case Msr.IA32_TSC_ADJUST:
                adjust(s, value - s.tscAdjust);
                return true;
            case Msr.IA32_MISC_ENABLE:
                return miscEnable(s, value);
            case Msr.IA32_MCG_CAP:
                return false;
            case Msr.IA32_BIOS_SIGN_ID:
                // Written before CPUID leaf 1, which puts the number of the update here: 0 (SDM vol. 3, "Determining the Signature").
                return true;
            case Msr.IA32_MCG_STATUS:
            case Msr.IA32_DEBUGCTL:
                return value == 0;
            case Msr.IA32_SYSENTER_CS:
                s.sysenterCs = value & 0xffff_ffffL;
                return true;
            case Msr.IA32_STAR:
                s.star = value;
                return true;
            case Msr.IA32_FMASK:
                if (value >>> 32 == 0) {
                    s.fmask = value;
                }
                return value >>> 32 == 0;
            case Msr.IA32_TSC_AUX:
                if (value >>> 32 == 0) {
                    s.tscAux = value;
                }
                return value >>> 32 == 0;
            default:
                return canonical(registers, value) && address(registers, msr, value);
        }
    }

    /** A write of either MSR moves the counter and IA32_TSC_ADJUST alike (SDM vol. 3, "IA32_TSC_ADJUST Register and TSC"). */
    private static void adjust(SystemRegisters s, long by) {
        s.tscOffset += by;
        s.tscAdjust += by;
    }

    private static boolean miscEnable(SystemRegisters s, long value) {
        boolean allowed = ((value ^ s.miscEnable) & ~MISC_ENABLE_WRITABLE) == 0;
        if (allowed) {
            s.miscEnable = value;
        }
        return allowed;
    }

    private static boolean address(RegisterFile registers, int msr, long value) {
        SystemRegisters s = registers.system;
        switch (msr) {
            case Msr.IA32_SYSENTER_ESP:
                s.sysenterEsp = value;
                break;
            case Msr.IA32_SYSENTER_EIP:
                s.sysenterEip = value;
                break;
            case Msr.IA32_LSTAR:
                s.lstar = value;
                break;
            case Msr.IA32_CSTAR:
                s.cstar = value;
                break;
            case Msr.IA32_FS_BASE:
                registers.segments.base[Segments.FS] = value;
                break;
            case Msr.IA32_GS_BASE:
                registers.segments.base[Segments.GS] = value;
                break;
            case Msr.IA32_KERNEL_GS_BASE:
                s.kernelGsBase = value;
                break;
            default:
                throw new IllegalArgumentException("no system MSR " + Integer.toHexString(msr));
        }
        return true;
    }

    /** Canonical for the current paging mode, of 48 bits unless CR4.LA57 = 1. */
    private static boolean canonical(RegisterFile registers, long value) {
        int spare = registers.paging.has4(ControlBits.CR4_LA57) ? 7 : 16;
        return value << spare >> spare == value;
    }
}
