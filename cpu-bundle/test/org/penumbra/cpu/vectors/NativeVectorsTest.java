package org.penumbra.cpu.vectors;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.cpu.Bench;
import org.penumbra.cpu.decode.Decoder;
import org.penumbra.cpu.decode.Disassembler;
import org.penumbra.cpu.table.InstructionTable;

/**
 * Each user-mode integer and SSE instruction comes out as a processor has it. {@code vectors/vectors.c} has executed them natively; register contents follow from
 * the generator that is here, too, so the file holds digests of what came out, one for each {@link #GROUP} cases.
 */
class NativeVectorsTest {
    private static final int GROUP = 64;
    private static final int RBX = 3;
    private static final int RSP = 4;
    private static final int WORDS = 16;
    private static final long PRIME = 0x100_0000_01b3L;
    private static final long BASIS = 0xcbf2_9ce4_8422_2325L;
    /** Where the memory operand was. */
    private static final long MEMORY = Bench.DATA + 0x100;
    private static final int STATUS = 0x8d5;
    private static final long HANDLER = Bench.CODE + 0x1000;
    private static final long[] EDGES = {
        0, 1, -1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000L, 0xffff_ffffL,
        Long.MAX_VALUE, Long.MIN_VALUE, 0x0123_4567_89ab_cdefL, 2
    };

    private static final long[] XMM_EDGES = {
        0, 0x3f80_0000_3f80_0000L, 0x3ff0_0000_0000_0000L, 0x4000_0000_0000_0000L, 0x7ff0_0000_0000_0000L, 0xfff0_0000_0000_0000L,
        0x7f80_0000_ff80_0000L, 0x8000_0000_8000_0000L, 0x8000_0000_0000_0000L, 0x7ff8_0000_0000_0001L, 0x7ff0_0000_0000_0001L,
        0x7f80_0001_7fc0_0001L, 0x0000_0001_0000_0001L, 0x41df_ffff_ffc0_0000L, 0x4f00_0000_4eff_ffffL, 0xc1e0_0000_0020_0000L
    };

    private final Bench bench = new Bench();
    private long seed;

    @Test
    @DisplayName("G01 user-mode integer and SSE instructions, every operand size: registers, memory and defined flags as a processor leaves them")
    void asNative() throws IOException {
        List<String> wrong = new ArrayList<>();
        long cases = 0;
        bench.registers.paging = bench.registers.paging.withCr4(bench.registers.paging.cr4() | 1 << 9);
        // #DE goes to a handler that begins with a NOP: the one instruction that is run then.
        bench.code(HANDLER, (byte) 0x90);
        bench.registers.segments.idtBase = Bench.DATA + 0x1000;
        bench.registers.segments.idtLimit = 0xfff;
        bench.memory.store64(Bench.DATA_HPA + 0x1000, HANDLER & 0xffff | 8 << 16 | 0x8eL << 40 | (HANDLER >>> 16) << 48);
        bench.registers.segments.gdtBase = Bench.DATA + 0x2000;
        bench.registers.segments.gdtLimit = 15;
        bench.memory.store64(Bench.DATA_HPA + 0x2008, 0x00af_9b00_0000_ffffL);
        for (String line : vectors()) {
            String[] words = line.split(" ");
            int count = Integer.parseInt(words[3]);
            cases += count;
            String first = compare(words, count);
            if (first != null) {
                wrong.add(first);
            }
        }
        assertThat(wrong).as(wrong.size() + " instructions").isEmpty();
        assertThat(cases).isGreaterThanOrEqualTo(1_000_000);
    }

    @Test
    @DisplayName("G01 the vectors are those of the table as it is now")
    void current() throws IOException {
        assertThat(vectors().stream().map(l -> String.join(" ", List.of(l.split(" ")).subList(0, 4)))).isEqualTo(Encodings.lines());
    }

    private List<String> vectors() throws IOException {
        try (BufferedReader in = new BufferedReader(new InputStreamReader(
                new GZIPInputStream(NativeVectorsTest.class.getResourceAsStream("native.txt.gz")), StandardCharsets.US_ASCII))) {
            return in.lines().toList();
        }
    }

    /** Null, or the instruction with the first group of cases that came out differently. */
    private String compare(String[] words, int cases) {
        byte[] code = HexFormat.of().parseHex(words[0]);
        long mask = Long.parseLong(words[1], 16);
        int kind = Integer.parseInt(words[2]);
        boolean mem = (kind & 1) != 0;
        boolean xmm = (kind & 2) != 0;
        RegisterFile r = bench.registers;
        bench.code(Bench.CODE, code);
        seed = 0x9e37_79b9_7f4a_7c15L;
        for (byte b : code) {
            seed = (seed ^ b & 0xff) * PRIME;
        }
        long digest = 0;
        for (int n = 0; n < cases; n++) {
            for (int i = 0; i < 16; i++) {
                r.gpr[i] = operand();
            }
            r.rflags = next() & STATUS | 0x202;
            for (int i = 0; i < WORDS; i++) {
                bench.memory.store64(Bench.DATA_HPA + 0x100 + 8 * i, operand());
            }
            for (int i = 0; xmm && i < r.xmm.length; i++) {
                r.xmm[i] = xmmOperand();
            }
            if (mem) {
                r.gpr[RBX] = MEMORY;
            }
            r.gpr[RSP] = Bench.DATA + 0x8000;
            r.rip = Bench.CODE;
            bench.run(1);
            if (n % GROUP == 0) {
                digest = BASIS;
            }
            digest = r.rip == Bench.CODE + code.length ? digest(digest, mask, mem, xmm) : r.rip == HANDLER + 1 ? (digest ^ 0xde) * PRIME : 0;
            if (n % GROUP == GROUP - 1 || n == cases - 1) {
                String got = String.format("%08x", (int) (digest ^ digest >>> 32));
                if (!got.equals(words[4 + n / GROUP])) {
                    return words[0] + " " + Disassembler.text(new Decoder(new InstructionTable()).decode(code, code.length, 64), 0)
                            + ": cases from " + n / GROUP * GROUP;
                }
            }
        }
        return null;
    }

    private long digest(long before, long mask, boolean mem, boolean xmm) {
        long d = before;
        for (int i = 0; i < 16; i++) {
            if (i != RSP && !(mem && i == RBX)) {
                d = (d ^ bench.registers.gpr[i]) * PRIME;
            }
        }
        d = (d ^ bench.registers.rflags & mask) * PRIME;
        for (int i = 0; mem && i < WORDS; i++) {
            d = (d ^ bench.memory.load64(Bench.DATA_HPA + 0x100 + 8 * i)) * PRIME;
        }
        for (int i = 0; xmm && i < bench.registers.xmm.length; i++) {
            d = (d ^ bench.registers.xmm[i]) * PRIME;
        }
        return d;
    }

    private long xmmOperand() {
        long r = next();
        return r >>> 62 != 0 ? next() : XMM_EDGES[(int) r & 15];
    }

    /** xorshift64*, as in vectors.c. */
    private long next() {
        seed ^= seed >>> 12;
        seed ^= seed << 25;
        seed ^= seed >>> 27;
        return seed * 0x2545_f491_4f6c_dd1dL;
    }

    private long operand() {
        long r = next();
        switch ((int) (r >>> 62)) {
            case 0:
                return EDGES[(int) r & 15];
            case 1:
                return r & 0x7f;
            default:
                return next();
        }
    }
}
