package org.penumbra.hardware.cpu;

import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.paging.ControlBits;

/**
 * What CPUID answers outside VMX operation (SDM vol. 2, "CPUID—CPU Identification"): what this hardware and the engine of machine code do,
 * and nothing else. There is no local APIC, MTRR or PAT for a guest to program yet.
 */
final class CpuidLeaves {
    private static final int LARGEST = 0x0d;
    private static final int LARGEST_EXTENDED = 0x8000_0008;
    /** "GenuineIntel", in EBX, EDX, ECX. */
    private static final int[] VENDOR = {0x756e_6547, 0x4965_6e69, 0x6c65_746e};
    /** Family 6, as of the profiles' processors; model and stepping 0 since none of them is meant. */
    private static final int SIGNATURE = 0x600;
    /** FPU, DE, PSE, TSC, MSR, PAE, CX8, SEP, PGE, CMOV, PSE-36, CLFSH, FXSR, SSE, SSE2. */
    private static final int EDX_1 = bits(0, 2, 3, 4, 5, 6, 8, 11, 13, 15, 17, 19, 24, 25, 26);
    /** PCID, CMPXCHG16B, MOVBE, POPCNT, and OSXSAVE's companions are absent; bit 31: a hypervisor may be there. */
    private static final int ECX_1 = bits(13, 17, 22, 23);
    /** FSGSBASE, BMI1, SMEP, BMI2, ERMS, INVPCID, ADX, SMAP. */
    private static final int EBX_7 = bits(0, 3, 7, 8, 9, 10, 19, 20);
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
                set(answer, SIGNATURE, 8 << 8 | 1 << 16, ECX_1, EDX_1);
                break;
            case 7:
                if (subleaf == 0) {
                    int keys = registers.paging.has4(ControlBits.CR4_PKE) ? ECX_7_OSPKE : 0;
                    set(answer, 0, EBX_7, ECX_7_PKU | ECX_7_PKS | ECX_7_RDPID | keys | (linearBits == 57 ? ECX_7_LA57 : 0), 0);
                }
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

    private static void set(int[] answer, int eax, int ebx, int ecx, int edx) {
        answer[0] = eax;
        answer[1] = ebx;
        answer[2] = ecx;
        answer[3] = edx;
    }
}
