package org.penumbra.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.HexFormat;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.penumbra.api.cpu.ExtendedState;
import org.penumbra.api.cpu.RegisterFile;

/** SDM vol. 1, "Managing State Using the XSAVE Feature Set". */
class ExtendedStateTest {
    private static final long AREA = Bench.DATA;
    private static final long OSXSAVE = 1 << 18;
    private static final long PKE = 1 << 22;
    private static final int RSI = 6;
    private static final int UD = 6;
    private static final int NM = 7;
    private static final int GP = 13;
    private static final int DONE = -1;
    private static final String XSAVE = "0f ae 26";
    private static final String XSAVEOPT = "0f ae 36";
    private static final String XRSTOR = "0f ae 2e";
    private static final String XGETBV = "0f 01 d0";
    private static final String XSETBV = "0f 01 d1";

    private final Bench bench = new Bench();
    private final RegisterFile r = bench.registers;

    @BeforeEach
    void enabled() {
        bench.handlers();
        r.paging = r.paging.withCr4(r.paging.cr4() | 1 << 9 | OSXSAVE);
        r.system.xcr0 = 7;
        r.gpr[RSI] = AREA;
        r.gpr[0] = -1;
        r.gpr[2] = -1;
    }

    private void expect(String hex, int vector) {
        bench.code(Bench.CODE, HexFormat.of().parseHex(hex.replace(" ", "")));
        r.gpr[4] = Bench.STACK;
        bench.run(1);
        assertThat(r.rip).as(hex).isEqualTo(vector < 0 ? Bench.CODE + hex.replace(" ", "").length() / 2 : Bench.HANDLERS + 16 * vector);
    }

    private void fill(long seed) {
        for (int k = 0; k < 32; k++) {
            r.xmm[k] = seed * (k + 1);
            r.ymm[k] = seed * (k + 101);
        }
        Arrays.fill(r.fpu.significand, seed);
        Arrays.fill(r.fpu.exponent, (short) 0x3fff);
        r.fpu.used = 0xf0;
        r.fpu.status = 4 << 11;
        r.mxcsr = 0x1f00;
    }

    @Test
    @DisplayName("G01 XSAVE and XRSTOR bring back x87, SSE and AVX state, each in its place")
    void roundTrip() {
        fill(0x0123_4567_89ab_cdefL);
        long[] xmm = r.xmm.clone();
        long[] ymm = r.ymm.clone();
        expect(XSAVE, DONE);
        assertThat(bench.data(AREA + 512)).as("XSTATE_BV").isEqualTo(7);
        assertThat(bench.data(AREA + 160)).isEqualTo(xmm[0]);
        assertThat(bench.data(AREA + ExtendedState.AVX_AT + 8)).isEqualTo(ymm[1]);
        assertThat(bench.data(AREA + 24)).isEqualTo(0xffff_0000_1f00L);
        fill(1);
        r.mxcsr = 0x1f80;
        expect(XRSTOR, DONE);
        assertThat(r.xmm).isEqualTo(xmm);
        assertThat(r.ymm).isEqualTo(ymm);
        assertThat(r.mxcsr).isEqualTo(0x1f00);
        assertThat(r.fpu.significand[3]).isEqualTo(0x0123_4567_89ab_cdefL);
        assertThat(r.fpu.used).isEqualTo(0xf0);
    }

    @Test
    @DisplayName("G01 XRSTOR makes a component that is asked for and not in the area as after a reset, and leaves others alone")
    void initialized() {
        fill(7);
        bench.data(AREA + 24, 0x1f80);
        bench.data(AREA + 512, 0);
        r.gpr[0] = 4;
        r.gpr[2] = 0;
        expect(XRSTOR, DONE);
        assertThat(r.ymm).containsOnly(0);
        assertThat(r.xmm[0]).isEqualTo(7);
        assertThat(r.mxcsr).as("MXCSR goes with AVX, too").isEqualTo(0x1f80);
        r.gpr[0] = 1;
        expect(XRSTOR, DONE);
        assertThat(r.fpu.used).isZero();
        assertThat(r.fpu.control).isEqualTo(0x37f);
    }

    @Test
    @DisplayName("G01 XSAVE keeps the bits of XSTATE_BV that it was not asked for, XSAVEOPT writes no component that is as after a reset")
    void header() {
        fill(7);
        Arrays.fill(r.ymm, 0);
        bench.data(AREA + 512, 1);
        bench.data(AREA + ExtendedState.AVX_AT, 99);
        r.gpr[0] = 6;
        r.gpr[2] = 0;
        expect(XSAVEOPT, DONE);
        assertThat(bench.data(AREA + 512)).isEqualTo(3);
        assertThat(bench.data(AREA + ExtendedState.AVX_AT)).isEqualTo(99);
        expect(XSAVE, DONE);
        assertThat(bench.data(AREA + ExtendedState.AVX_AT)).isZero();
    }

    @Test
    @DisplayName("G01 PKRU is a component: XRSTOR of it counts for translation")
    void keys() {
        expect("b8 07 02 00 00", DONE);
        r.gpr[1] = 0;
        r.gpr[2] = 0;
        expect(XSETBV, DONE);
        r.paging = r.paging.withPkru(0x5555_5554).withCr4(r.paging.cr4() | PKE);
        r.gpr[0] = 0x200;
        expect(XSAVE, DONE);
        assertThat(bench.data(AREA + ExtendedState.PKRU_AT)).isEqualTo(0x5555_5554);
        r.paging = r.paging.withPkru(0);
        expect(XRSTOR, DONE);
        assertThat(r.paging.pkru()).isEqualTo(0x5555_5554);
        bench.data(AREA + 512, 0);
        expect(XRSTOR, DONE);
        assertThat(r.paging.pkru()).isZero();
    }

    @Test
    @DisplayName("G01 an area that is not aligned to 64 bytes, a header with what XCR0 does not have or reserved bytes, and a bad MXCSR are #GP(0)")
    void refused() {
        r.gpr[RSI] = AREA + 32;
        expect(XSAVE, GP);
        expect(XRSTOR, GP);
        r.gpr[RSI] = AREA;
        bench.data(AREA + 512, 8);
        expect(XRSTOR, GP);
        bench.data(AREA + 512, 0);
        bench.data(AREA + 520, 1L << 63);
        expect(XRSTOR, GP);
        bench.data(AREA + 520, 0);
        bench.data(AREA + 24, 0x1_0000);
        expect(XRSTOR, GP);
        bench.data(AREA + 24, 0x1f80);
        expect(XRSTOR, DONE);
    }

    @ParameterizedTest(name = "G01 {0}: #UD without CR4.OSXSAVE, and a task switch first but for XGETBV and XSETBV")
    @ValueSource(strings = {XSAVE, XSAVEOPT, XRSTOR, XGETBV, XSETBV})
    void disabled(String hex) {
        r.paging = r.paging.withCr0(r.paging.cr0() | 1 << 3);
        if (!hex.equals(XGETBV) && !hex.equals(XSETBV)) {
            expect(hex, NM);
        }
        r.paging = r.paging.withCr4(r.paging.cr4() & ~OSXSAVE);
        expect(hex, UD);
    }

    @ParameterizedTest(name = "G01 XSETBV of {0} is #GP(0)")
    @ValueSource(longs = {0, 2, 5, 4, 15, 0xff, 0x1_0000_0007L})
    void notForXcr0(long value) {
        r.gpr[0] = value & 0xffff_ffffL;
        r.gpr[2] = value >>> 32;
        r.gpr[1] = 0;
        expect(XSETBV, GP);
        assertThat(r.system.xcr0).isEqualTo(7);
    }

    @Test
    @DisplayName("G01 XGETBV reads what XSETBV wrote; register 0 alone is there")
    void xcr0() {
        r.gpr[0] = 3;
        r.gpr[2] = 0;
        r.gpr[1] = 0;
        expect(XSETBV, DONE);
        r.gpr[0] = 99;
        r.gpr[2] = 99;
        expect(XGETBV, DONE);
        assertThat(r.gpr[0]).isEqualTo(3);
        assertThat(r.gpr[2]).isZero();
        r.gpr[1] = 1;
        expect(XGETBV, GP);
        expect(XSETBV, GP);
    }
}
