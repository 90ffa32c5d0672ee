package org.penumbra.hardware.cpu;

import org.penumbra.api.cpu.ExtendedState;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.paging.ControlBits;

/**
 * What CPUID answers outside VMX operation (SDM vol. 2, "CPUID—CPU Identification"): what this hardware and the engine of machine code do,
 * and nothing else. A local APIC, its timer too, is the hypervisor's to announce.
 */
final class CpuidLeaves {
    private static final int LARGEST = 0x0d;
    private static final int LARGEST_EXTENDED = 0x8000_0008;
    /** "GenuineIntel", in EBX, EDX, ECX. */
    private static final int[] VENDOR = {0x756e_6547, 0x4965_6e69, 0x6c65_746e};
    /** Family 6, as of the profiles' processors; model and stepping 0 since none of them is meant. */
    private static final int SIGNATURE = 0x600;
    /** FPU, DE, PSE, TSC, MSR, PAE, MCE, CX8, SEP, MTRR, PGE, MCA, CMOV, PAT, PSE-36, CLFSH, MMX, FXSR, SSE, SSE2. */
    private static final int EDX_1 = bits(0, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 14, 15, 16, 17, 19, 23, 24, 25, 26);
    /** SSE3, PCLMULQDQ, SSSE3, CMPXCHG16B, PCID, SSE4.1, SSE4.2, MOVBE, POPCNT, AES, XSAVE, AVX. */
    private static final int ECX_1 = bits(0, 1, 9, 13, 17, 19, 20, 22, 23, 25, 26, 28);
    private static final int ECX_1_OSXSAVE = 1 << 27;
    private static final long CR4_OSXSAVE = 1 << 18;
    /** FSGSBASE, TSC_ADJUST, BMI1, AVX2, SMEP, BMI2, ERMS, INVPCID, FCS and FDS always 0, ADX, SMAP, CLFLUSHOPT. */
    private static final int EBX_7 = bits(0, 1, 3, 5, 7, 8, 9, 10, 13, 19, 20, 23);
    private static final int EAX_D1_XSAVEOPT = 1;
    private static final int ECX_7_UMIP = bits(2);
    private static final int ECX_7_PKU = bits(3);
    private static final int ECX_7_OSPKE = bits(4);
    private static final int ECX_7_LA57 = bits(16);
    private static final int ECX_7_RDPID = bits(22);
    private static final int ECX_7_PKS = 1 << 31;
    /** LAHF in 64-bit mode, LZCNT, PREFETCHW. */
    private static final int ECX_EXTENDED = bits(0, 5, 8);
    /** SYSCALL, NX, 1 GiB pages, RDTSCP, long mode. */
    private static final int EDX_EXTENDED = bits(11, 20, 26, 27, 29);

    private final int physicalBits;
    private final int linearBits;

    CpuidLeaves(int physicalBits, int linearBits) {
        this.physicalBits = physicalBits;
        this.linearBits = linearBits;
    }

    private static int bits(int... numbers) {
        int mask = 0;
        for (int n : numbers) {
            mask |= 1 << n;
        }
        return mask;
    }

    /** EAX, EBX, ECX, EDX of {@code leaf}; beyond the largest leaf those of the largest basic one. */
    void answer(int leaf, int subleaf, RegisterFile registers, int[] answer) {
        answer[0] = answer[1] = answer[2] = answer[3] = 0;
        switch (leaf) {
            case 0:
                set(answer, LARGEST, VENDOR[0], VENDOR[2], VENDOR[1]);
                break;
            case 1:
                // CLFLUSH lines of 8 quadwords; one logical processor.
                int osxsave = registers.paging.has4(CR4_OSXSAVE) ? ECX_1_OSXSAVE : 0;
                set(answer, SIGNATURE, 8 << 8 | 1 << 16, ECX_1 | osxsave, EDX_1);
                break;
            case 7:
                if (subleaf == 0) {
                    int keys = registers.paging.has4(ControlBits.CR4_PKE) ? ECX_7_OSPKE : 0;
                    set(answer, 0, EBX_7, ECX_7_UMIP | ECX_7_PKU | ECX_7_PKS | ECX_7_RDPID | keys | (linearBits == 57 ? ECX_7_LA57 : 0), 0);
                }
                break;
            case 0xd:
                extendedState(subleaf, registers.system.xcr0, answer);
                break;
            case 0x8000_0000:
                answer[0] = LARGEST_EXTENDED;
                break;
            case 0x8000_0001:
                set(answer, 0, 0, ECX_EXTENDED, EDX_EXTENDED);
                break;
            case 0x8000_0008:
                answer[0] = linearBits << 8 | physicalBits;
                break;
            default:
        }
    }

    private static void extendedState(int subleaf, long xcr0, int[] answer) {
        switch (subleaf) {
            case 0:
                set(answer, (int) ExtendedState.SUPPORTED, ExtendedState.bytes(xcr0), ExtendedState.bytes(ExtendedState.SUPPORTED), 0);
                break;
            case 1:
                answer[0] = EAX_D1_XSAVEOPT;
                break;
            case 2:
                set(answer, ExtendedState.AVX_BYTES, ExtendedState.AVX_AT, 0, 0);
                break;
            case 9:
                set(answer, ExtendedState.PKRU_BYTES, ExtendedState.PKRU_AT, 0, 0);
                break;
            default:
        }
    }

    private static void set(int[] answer, int eax, int ebx, int ecx, int edx) {
        answer[0] = eax;
        answer[1] = ebx;
        answer[2] = ecx;
        answer[3] = edx;
    }
}
