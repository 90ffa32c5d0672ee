package org.penumbra.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.penumbra.api.cpu.RegisterFile;

/** CPUID tells of what is executed, and of nothing else (SDM vol. 2, "CPUID—CPU Identification"). */
class FeatureTest {
    private static final int UD = 6;
    private static final List<String> REGISTERS = List.of("EAX", "EBX", "ECX", "EDX");

    private final Bench bench = new Bench();
    private final RegisterFile r = bench.registers;

    @BeforeEach
    void enabled() {
        bench.handlers();
        r.paging = r.paging.withCr4(r.paging.cr4() | 1 << 9 | 1 << 10 | 1 << 16 | 1 << 18 | 1 << 22).withEfer(r.paging.efer() | 1);
        r.system.xcr0 = 7;
        r.gpr[6] = Bench.DATA;
        r.gpr[7] = Bench.DATA;
    }

    @ParameterizedTest(name = "G01 {0}: bit {3} of {2} in leaf {1} is set if and only if {4} is no #UD")
    @CsvSource({
        "FPU,1,EDX,0,d9e8", "CX8,1,EDX,8,0fc70e", "SEP,1,EDX,11,0f35", "CMOV,1,EDX,15,0f44c1", "CLFSH,1,EDX,19,0fae3e", "MMX,1,EDX,23,0ffcc1", "FXSR,1,EDX,24,0fae06",
        "SSE,1,EDX,25,0f58c1", "SSE2,1,EDX,26,660f58c1", "SSE3,1,ECX,0,f20f7cc1", "PCLMULQDQ,1,ECX,1,660f3a44c100", "MONITOR,1,ECX,3,0f01c8",
        "SSSE3,1,ECX,9,660f3800c1", "FMA,1,ECX,12,c4e2f198c2", "CMPXCHG16B,1,ECX,13,480fc70e", "SSE4.1,1,ECX,19,660f3840c1", "SSE4.2,1,ECX,20,660f3837c1",
        "MOVBE,1,ECX,22,0f38f006", "POPCNT,1,ECX,23,f30fb8c1", "AES,1,ECX,25,660f38dcc1", "XSAVE,1,ECX,26,0f01d0", "AVX,1,ECX,28,c5f058c2", "F16C,1,ECX,29,c4e27913c1",
        "RDRAND,1,ECX,30,0fc7f0", "FSGSBASE,7,EBX,0,f30faec0", "BMI1,7,EBX,3,c4e270f2c2", "HLE,7,EBX,4,c7f800000000", "AVX2,7,EBX,5,c5f5fcc2", "BMI2,7,EBX,8,c4e270f5c2",
        "RTM,7,EBX,11,0f01d5", "AVX512F,7,EBX,16,62f17c4858c2", "RDSEED,7,EBX,18,0fc7f8", "ADX,7,EBX,19,660f38f6c1", "SMAP,7,EBX,20,0f01ca", "CLFLUSHOPT,7,EBX,23,660fae3e",
        "CLWB,7,EBX,24,660fae36", "SHA,7,EBX,29,0f38c8c1", "PKU,7,ECX,3,0f01ee", "WAITPKG,7,ECX,5,660faef0", "GFNI,7,ECX,8,660f38cfc1", "VAES,7,ECX,9,c4e275dcc2",
        "VPCLMULQDQ,7,ECX,10,c4e37544c200", "RDPID,7,ECX,22,f30fc7f8", "MOVDIRI,7,ECX,27,0f38f906", "SERIALIZE,7,EDX,14,0f01e8",
        "LAHF,80000001,ECX,0,9f", "LZCNT,80000001,ECX,5,f30fbdc1", "SSE4A,80000001,ECX,6,660f79c1", "XOP,80000001,ECX,11,8fe878c0c100", "SYSCALL,80000001,EDX,11,0f05",
        "RDTSCP,80000001,EDX,27,0f01f9", "3DNOW,80000001,EDX,31,0f0fc19e",
    })
    void told(String feature, String leaf, String register, int bit, String hex) {
        int[] answer = new int[4];
        bench.cpu.hostCpuid(Integer.parseUnsignedInt(leaf, 16), 0, answer);
        boolean set = (answer[REGISTERS.indexOf(register)] >>> bit & 1) != 0;
        bench.code(Bench.CODE, HexFormat.of().parseHex(hex));
        r.gpr[1] = 0;
        bench.run(1);
        assertThat(r.rip == Bench.HANDLERS + 16 * UD).as(feature + " is undefined").isNotEqualTo(set);
    }

    @Test
    @DisplayName("G01 leaf 0DH has the components of XSAVE with sizes and places; OSXSAVE follows CR4")
    void extendedState() {
        int[] answer = new int[4];
        bench.cpu.hostCpuid(0xd, 0, answer);
        assertThat(answer).containsExactly(0x207, 832, 840, 0);
        bench.cpu.hostCpuid(0xd, 1, answer);
        assertThat(answer).as("XSAVEOPT alone").containsExactly(1, 0, 0, 0);
        bench.cpu.hostCpuid(0xd, 2, answer);
        assertThat(answer).containsExactly(256, 576, 0, 0);
        bench.cpu.hostCpuid(0xd, 9, answer);
        assertThat(answer).containsExactly(8, 832, 0, 0);
        bench.cpu.hostCpuid(1, 0, answer);
        assertThat(answer[2] >>> 27 & 1).isEqualTo(1);
        r.paging = r.paging.withCr4(r.paging.cr4() & ~(1L << 18));
        bench.cpu.hostCpuid(1, 0, answer);
        assertThat(answer[2] >>> 27 & 1).isZero();
    }
}
