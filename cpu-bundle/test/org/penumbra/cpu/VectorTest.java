package org.penumbra.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.HexFormat;
import java.util.SplittableRandom;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.penumbra.api.cpu.RegisterFile;

/** Vector instructions where native vectors do not reach: when they are refused, memory by masks and indices, approximations. */
class VectorTest {
    private static final int UD = 6;
    private static final int NM = 7;
    private static final int GP = 13;
    private static final int PF = 14;
    private static final int MF = 16;
    private static final int XM = 19;
    private static final long OSFXSR = 1 << 9;
    private static final long OSXMMEXCPT = 1 << 10;
    private static final long OSXSAVE = 1 << 18;
    private static final long EM = 1 << 2;
    private static final long TS = 1 << 3;
    private static final long NE = 1 << 5;
    private static final int RSI = 6;
    private static final int RDI = 7;

    private final Bench bench = new Bench();
    private final RegisterFile r = bench.registers;

    @BeforeEach
    void enabled() {
        bench.handlers();
        cr4(OSFXSR | OSXMMEXCPT | OSXSAVE, 0);
        r.system.xcr0 = 7;
        r.gpr[RSI] = Bench.DATA;
    }

    private void cr4(long set, long clear) {
        r.paging = r.paging.withCr4(r.paging.cr4() & ~clear | set);
    }

    private void cr0(long set) {
        r.paging = r.paging.withCr0(r.paging.cr0() | set);
    }

    private void run(String hex) {
        bench.code(Bench.CODE, HexFormat.of().parseHex(hex.replace(" ", "")));
        r.gpr[4] = Bench.STACK;
        bench.run(1);
    }

    /** Runs the instruction: it is done, or raises the exception that {@code vector} says. */
    private void expect(String hex, int vector) {
        run(hex);
        assertThat(r.rip).as(hex).isEqualTo(vector < 0 ? Bench.CODE + hex.replace(" ", "").length() / 2 : Bench.HANDLERS + 16 * vector);
    }

    private static final int DONE = -1;

    // SDM vol. 3, "Providing Operating System Support for Executing SSE Instructions"; vol. 2, "AVX Instruction Exception Classification".
    @ParameterizedTest(name = "G01 {0}: with {1} {2}")
    @CsvSource(delimiter = '|', value = {
        "66 0f 38 00 c1    | CR4.OSFXSR clear  | 6", "66 0f 38 00 c1 | CR0.EM set | 6", "66 0f 38 00 c1 | CR0.TS set | 7", "66 0f 38 00 c1 | nothing | -1",
        "c5 f1 fc c2       | CR4.OSXSAVE clear | 6", "c5 f1 fc c2 | XCR0 without AVX | 6", "c5 f1 fc c2 | CR0.TS set | 7", "c5 f1 fc c2 | CR0.EM set | -1",
        "c5 f1 fc c2       | CR4.OSFXSR clear | -1", "0f fc c1 | CR0.EM set | 6", "0f fc c1 | CR0.TS set | 7", "0f fc c1 | CR4.OSFXSR clear | -1",
        "0f fc c1          | a pending x87 exception | 16", "0f 77 | CR0.EM set | 6", "0f 77 | a pending x87 exception | 16", "c5 f8 77 | CR4.OSXSAVE clear | 6",
        "c5 f8 ae 1e       | XCR0 without AVX | 6", "f2 0f 38 f1 c1 | CR4.OSFXSR clear | -1",
    })
    void refused(String hex, String with, int vector) {
        switch (with) {
            case "CR4.OSFXSR clear":
                cr4(0, OSFXSR);
                break;
            case "CR4.OSXSAVE clear":
                cr4(0, OSXSAVE);
                break;
            case "XCR0 without AVX":
                r.system.xcr0 = 3;
                break;
            case "CR0.EM set":
                cr0(EM);
                break;
            case "CR0.TS set":
                cr0(TS);
                break;
            case "a pending x87 exception":
                cr0(NE);
                r.fpu.status = 1 << 7 | 1;
                break;
            default:
        }
        expect(hex, vector);
    }

    // SDM vol. 2, "SSE Exception Types" and "AVX Instruction Exception Classification".
    @ParameterizedTest(name = "G01 {0} at an address that is not a multiple of its size: {1}")
    @CsvSource(delimiter = '|', value = {
        "66 0f fc 06 | 13", "0f 28 06 | 13", "0f 29 06 | 13", "0f 10 06 | -1", "f2 0f f0 06 | -1", "66 0f 3a 63 06 00 | -1", "66 0f d1 06 | 13",
        "66 0f 38 2a 06 | 13", "f3 0f 58 06 | -1", "66 0f 38 20 06 | -1", "c5 f1 fc 06 | -1", "c5 f5 fc 06 | -1", "c5 fc 28 06 | 13", "c5 fc 10 06 | -1",
        "c4 e2 7d 2a 06 | 13", "0f fc 06 | -1", "c4 e3 7d 39 06 01 | -1",
    })
    void alignment(String hex, int vector) {
        r.gpr[RSI] = Bench.DATA + 0x24;
        expect(hex, vector);
    }

    @Test
    @DisplayName("G01 a VMOVAPS of 32 bytes wants them aligned to 32")
    void aligned32() {
        r.gpr[RSI] = Bench.DATA + 0x10;
        expect("c5 fc 28 06", GP);
        r.gpr[RSI] = Bench.DATA + 0x20;
        expect("c5 fc 28 06", DONE);
    }

    @Test
    @DisplayName("G01 an unmasked exception is #XM, #UD without CR4.OSXMMEXCPT; MXCSR says which, and the destination is as it was")
    void unmasked() {
        r.mxcsr = 0x1f80 & ~(1 << 9);
        r.xmm[0] = 0x3f80_0000;
        r.xmm[2] = 0;
        expect("f3 0f 5e c1", XM);
        assertThat(r.mxcsr & 0x3f).as("ZE").isEqualTo(4);
        assertThat(r.xmm[0]).isEqualTo(0x3f80_0000);
        cr4(0, OSXMMEXCPT);
        expect("f3 0f 5e c1", UD);
    }

    @Test
    @DisplayName("G01 LDMXCSR with a reserved bit is #GP(0)")
    void reservedMxcsr() {
        bench.data(Bench.DATA, 0x1_1f80);
        expect("0f ae 16", GP);
        assertThat(r.mxcsr).isEqualTo(0x1f80);
    }

    @Test
    @DisplayName("G01 masked loads and stores touch the elements of their mask alone: the others may lie in a page that is not there")
    void maskedMoves() {
        long end = Bench.DATA + 0x20_0000;
        bench.data(end - 8, 0x1111_2222_3333_4444L);
        r.gpr[RSI] = end - 8;
        r.xmm[2] = 0x8000_0000_8000_0000L;
        r.xmm[3] = 0;
        expect("c4 e2 71 2c 06", DONE);
        assertThat(r.xmm[0]).isEqualTo(0x1111_2222_3333_4444L);
        assertThat(r.xmm[1]).isZero();
        r.xmm[0] = -1;
        r.xmm[2] = 0x8000_0000L;
        expect("c4 e2 71 2e 06", DONE);
        assertThat(bench.data(end - 8)).isEqualTo(0x1111_2222_ffff_ffffL);
        r.xmm[3] = 0x8000_0000L;
        r.xmm[0] = 0;
        expect("c4 e2 71 2e 06", PF);
        assertThat(bench.data(end - 8)).as("nothing is stored").isEqualTo(0x1111_2222_ffff_ffffL);
        expect("c4 e2 71 2c 06", PF);
        assertThat(r.cr2).isEqualTo(end);
    }

    @Test
    @DisplayName("G01 MASKMOVDQU and MASKMOVQ store the bytes that a mask chooses at DS:RDI")
    void maskedBytes() {
        bench.data(Bench.DATA, 0x0101_0101_0101_0101L);
        r.gpr[RDI] = Bench.DATA;
        r.xmm[0] = 0x8877_6655_4433_2211L;
        r.xmm[2] = 0x8000_0000_0000_8000L;
        r.xmm[3] = 0;
        expect("66 0f f7 c1", DONE);
        assertThat(bench.data(Bench.DATA)).isEqualTo(0x8801_0101_0101_2201L);
        r.fpu.significand[0] = 0x8877_6655_4433_2211L;
        r.fpu.significand[1] = 0x80;
        expect("0f f7 c1", DONE);
        assertThat(bench.data(Bench.DATA)).isEqualTo(0x8801_0101_0101_2211L);
        assertThat(r.fpu.used).isEqualTo(0xff);
    }

    @Test
    @DisplayName("G01 a gather loads by signed, scaled indices, clears its mask, and keeps what was loaded before a fault")
    void gather() {
        for (int k = 0; k < 16; k++) {
            bench.data(Bench.DATA + 8 * k, 0x1_0000_0001L * k << 4 | 1L << 32);
        }
        // vpgatherdd ymm0, [rsi + ymm1*4], ymm2
        r.gpr[RSI] = Bench.DATA + 32;
        long[] indices = {0, 1, -1, -8, 5, 2, 3, 4};
        for (int k = 0; k < 8; k++) {
            put(1, k, indices[k]);
            put(2, k, k == 6 ? 0 : 0x8000_0000L);
            put(0, k, 0x7777);
        }
        expect("c4 e2 6d 90 04 8e", DONE);
        for (int k = 0; k < 8; k++) {
            long at = Bench.DATA + 32 + 4 * indices[k];
            assertThat(element(0, k)).as("element " + k).isEqualTo(k == 6 ? 0x7777 : bench.memory.load(at - Bench.DATA + Bench.DATA_HPA, 4));
            assertThat(element(2, k)).isZero();
        }
        // vgatherqpd xmm0, [rsi + xmm1*1], xmm2: the second element is not there.
        r.gpr[RSI] = Bench.DATA;
        r.xmm[2] = 8;
        r.xmm[3] = 0x20_0000;
        r.xmm[4] = -1;
        r.xmm[5] = -1;
        r.xmm[1] = 99;
        expect("c4 e2 e9 93 04 0e", PF);
        assertThat(r.cr2).isEqualTo(Bench.DATA + 0x20_0000);
        assertThat(r.xmm[0]).isEqualTo(bench.data(Bench.DATA + 8));
        assertThat(r.xmm[1]).isEqualTo(99);
        assertThat(r.xmm[4]).isZero();
        assertThat(r.xmm[5]).isEqualTo(-1);
        expect("c4 e2 f9 93 04 0e", UD);
    }

    private void put(int register, int k, long value) {
        long[] words = k < 4 ? r.xmm : r.ymm;
        int at = 2 * register + (k >> 1 & 1);
        words[at] = words[at] & ~(0xffff_ffffL << 32 * (k & 1)) | (value & 0xffff_ffffL) << 32 * (k & 1);
    }

    private long element(int register, int k) {
        return (k < 4 ? r.xmm : r.ymm)[2 * register + (k >> 1 & 1)] >>> 32 * (k & 1) & 0xffff_ffffL;
    }

    @Test
    @DisplayName("G01 a store of 32 bytes whose second page is not there stores nothing")
    void storeOverTwoPages() {
        long end = Bench.DATA + 0x20_0000;
        Arrays.fill(r.xmm, -1);
        r.gpr[RSI] = end - 16;
        expect("c5 fc 11 06", PF);
        assertThat(r.cr2).isBetween(end, end + 15);
        assertThat(bench.data(end - 16)).isZero();
        expect("c5 fc 10 06", PF);
        assertThat(r.xmm[0]).isEqualTo(-1);
    }

    @Test
    @DisplayName("G01 RCPPS and RSQRTPS come as near as SDM vol. 2 promises, and zero, infinity and denormals as it says")
    void approximations() {
        SplittableRandom random = new SplittableRandom(7);
        for (int n = 0; n < 1000; n++) {
            float x = Float.intBitsToFloat(random.nextInt(0x0080_0000, 0x7e00_0000));
            assertThat(approximation("f3 0f 53 c1", x)).isCloseTo(1 / (double) x, Percentage.withPercentage(100 * 1.5 / 4096));
            assertThat(approximation("f3 0f 52 c1", x)).isCloseTo(1 / Math.sqrt(x), Percentage.withPercentage(100 * 1.5 / 4096));
        }
        assertThat(approximation("f3 0f 53 c1", -0.0f)).isEqualTo(Double.NEGATIVE_INFINITY);
        assertThat(approximation("f3 0f 53 c1", Float.MIN_VALUE)).isEqualTo(Double.POSITIVE_INFINITY);
        assertThat(approximation("f3 0f 53 c1", Float.MAX_VALUE)).isZero();
        assertThat(approximation("f3 0f 52 c1", -0.0f)).isEqualTo(Double.NEGATIVE_INFINITY);
        assertThat(approximation("f3 0f 52 c1", -1)).isNaN();
        assertThat(r.mxcsr).isEqualTo(0x1f80);
    }

    private double approximation(String hex, float of) {
        r.xmm[2] = Float.floatToRawIntBits(of) & 0xffff_ffffL;
        expect(hex, DONE);
        return Float.intBitsToFloat((int) r.xmm[0]);
    }
}
