package org.penumbra.cpu.vectors;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.cpu.FpuRegisters;
import org.penumbra.cpu.Bench;

/**
 * The transcendental instructions against what a processor made of the same operands: {@code vectors/functions.c}. Results may differ by one unit in the
 * last place, since a processor's need not be rounded correctly (SDM vol. 1, "Transcendental Instruction Accuracy").
 */
class TranscendentalTest {
    /** Stack fault, invalid, denormal, division by zero, overflow; C2. A processor may call a result inexact, or underflow, that is exact. */
    private static final int COMPARED = 0x44f;

    private final Bench bench = new Bench();
    private final FpuRegisters fpu = bench.registers.fpu;

    @Test
    @DisplayName("G01 sines, tangents, arctangents, logarithms and powers are within one unit in the last place of a processor's, special operands as it has them")
    void nearNative() throws IOException {
        List<String> wrong = new ArrayList<>();
        int cases = 0;
        try (BufferedReader in = new BufferedReader(new InputStreamReader(
                new GZIPInputStream(TranscendentalTest.class.getResourceAsStream("functions.txt.gz")), StandardCharsets.US_ASCII))) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                cases++;
                String got = run(line.split(" "));
                if (got != null) {
                    wrong.add(line + " | " + got);
                }
            }
        }
        assertThat(wrong).isEmpty();
        assertThat(cases).isGreaterThan(3000);
    }

    private String run(String[] words) {
        fpu.reset();
        fpu.status = 6 << 11;
        fpu.used = 0xc0;
        set(6, words[1]);
        set(7, words[2]);
        bench.code(Bench.CODE, HexFormat.of().parseHex(words[0]));
        bench.run(1);
        int status = Integer.parseInt(words[3], 16);
        int top = fpu.status >>> 11 & 7;
        boolean same = (fpu.status & COMPARED) == (status & COMPARED) && top == (status >>> 11 & 7) && near(top, words[4])
                && (top == 7 || near(top + 1 & 7, words[5]));
        return same ? null : String.format("%04x %04x:%016x %04x:%016x", fpu.status, fpu.exponent[top], fpu.significand[top], fpu.exponent[top + 1 & 7],
                fpu.significand[top + 1 & 7]);
    }

    private void set(int physical, String number) {
        fpu.exponent[physical] = (short) Integer.parseInt(number.substring(0, 4), 16);
        fpu.significand[physical] = Long.parseUnsignedLong(number.substring(5), 16);
    }

    private boolean near(int physical, String number) {
        int top = Integer.parseInt(number.substring(0, 4), 16);
        BigInteger difference = value(top, Long.parseUnsignedLong(number.substring(5), 16))
                .subtract(value(fpu.exponent[physical] & 0xffff, fpu.significand[physical])).abs();
        return (top & 0x8000) == (fpu.exponent[physical] & 0x8000) && difference.compareTo(BigInteger.ONE) <= 0;
    }

    /** Neighbouring numbers are neighbours here, too. */
    private static BigInteger value(int top, long significand) {
        return BigInteger.valueOf(top & 0x7fff).shiftLeft(63).add(BigInteger.valueOf(significand & Long.MAX_VALUE));
    }
}
