package org.penumbra.api.cpu;

import org.penumbra.api.paging.ControlBits;

/**
 * The model-specific registers that are plain registers of a vCPU: those of SYSCALL and SYSENTER, the segment bases, IA32_TSC and IA32_TSC_AUX.
 * Who executes WRMSR asks here after the MSRs with rules of their own.
 */
public final class SystemMsrs {
    private SystemMsrs() {}

    /** True if {@code msr} is one of them. */
    public static boolean has(int msr) {
        switch (msr) {
            case Msr.IA32_TSC:
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
                s.tscOffset = value - retired;
                return true;
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
