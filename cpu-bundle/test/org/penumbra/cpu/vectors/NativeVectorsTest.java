package org.penumbra.cpu.vectors;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.penumbra.api.cpu.EngineFactory;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.cpu.Bench;
import org.penumbra.cpu.decode.Decoder;
import org.penumbra.cpu.decode.Disassembler;
import org.penumbra.cpu.execute.X86EngineFactory;
import org.penumbra.cpu.execute.X86InterpreterFactory;
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
    private static final int MEM = 1;
    private static final int VECTOR = 2;
    private static final int MXCSR = 4;
    private static final int FPU = 8;
    private static final int INVALID_MASKED = 16;

    private static final byte JUMP = (byte) 0xeb;

    /** What executes the instruction, which is one of a run of {@link #INSTRUCTIONS}. */
    private enum Execution {
        INTERPRETED(new X86InterpreterFactory()), COMPILED(new X86EngineFactory(0, 64));

        private final EngineFactory engines;

        Execution(EngineFactory engines) {
            this.engines = engines;
        }
    }

    /** The one that is tested, and a jump to the next, which ends the run: all of it is executed, so that it can be compiled. */
    private static final int INSTRUCTIONS = 2;

    private Bench bench;
    private final Operands random = new Operands();

    @ParameterizedTest(name = "{0}")
    @EnumSource(Execution.class)
    @DisplayName("G01 user-mode integer and SSE instructions, every operand size: registers, memory and defined flags as a processor leaves them")
    void asNative(Execution how) throws IOException {
        bench = new Bench(how.engines);
        List<String> wrong = new ArrayList<>();
        long cases = 0;
        // OSFXSR, OSXMMEXCPT, OSXSAVE; x87, SSE and AVX state.
        bench.registers.paging = bench.registers.paging.withCr4(bench.registers.paging.cr4() | 1 << 9 | 1 << 10 | 1 << 18);
        bench.registers.system.xcr0 = 7;
        // #DE and #XM go to a handler that jumps to itself.
        bench.code(HANDLER, JUMP, (byte) -2);
        bench.registers.segments.idtBase = Bench.DATA + 0x1000;
        bench.registers.segments.idtLimit = 0xfff;
        for (int gate : new int[] {0, 19 << 4}) {
            bench.memory.store64(Bench.DATA_HPA + 0x1000 + gate, HANDLER & 0xffff | 8 << 16 | 0x8eL << 40 | (HANDLER >>> 16) << 48);
        }
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
        List<String> now = new ArrayList<>(Encodings.lines());
        List<String> then = vectors().stream().map(l -> String.join(" ", List.of(l.split(" ")).subList(0, 4))).toList();
        assertThat(then).as("vectors; vectors/generate makes them").hasSameSizeAs(now);
        now.removeAll(new HashSet<>(then));
        assertThat(now).as("without vectors").isEmpty();
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
        RegisterFile r = bench.registers;
        bench.code(Bench.CODE, code);
        bench.code(Bench.CODE + code.length, JUMP, (byte) 0);
        long end = Bench.CODE + code.length + 2;
        random.seed(code);
        long digest = 0;
        for (int n = 0; n < cases; n++) {
            prepare(r, kind);
            r.gpr[RSP] = Bench.DATA + 0x8000;
            r.rip = Bench.CODE;
            bench.run(INSTRUCTIONS);
            if (n % GROUP == 0) {
                digest = BASIS;
            }
            digest = r.rip == end ? digest(digest, mask, kind)
                    : r.rip == HANDLER ? (digest ^ 0xde ^ ((kind & MXCSR) != 0 ? r.mxcsr : 0)) * PRIME : 0;
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

    private void prepare(RegisterFile r, int kind) {
        for (int i = 0; i < 16; i++) {
            r.gpr[i] = random.operand();
        }
        r.rflags = random.next() & STATUS | 0x202;
        for (int i = 0; i < WORDS; i++) {
            bench.memory.store64(Bench.DATA_HPA + 0x100 + 8 * i, (kind & (MXCSR | FPU)) != 0 ? random.floating() : random.operand());
        }
        for (int i = 0; (kind & VECTOR) != 0 && i < 64; i++) {
            long word = (kind & MXCSR) != 0 ? random.floating() : random.vector();
            ((i & 2) == 0 ? r.xmm : r.ymm)[i >> 2 << 1 | i & 1] = word;
        }
        r.mxcsr = (kind & MXCSR) != 0 ? random.mxcsr() : 0x1f80;
        if ((kind & FPU) != 0) {
            random.fpu(r.fpu);
            r.fpu.control |= (kind & INVALID_MASKED) != 0 ? 1 : 0;
            if ((random.next() & 1) != 0) {
                int top = random.extended();
                bench.memory.store64(Bench.DATA_HPA + 0x120, random.significand);
                bench.memory.store64(Bench.DATA_HPA + 0x128, top);
            }
        }
        if ((kind & MEM) != 0) {
            r.gpr[RBX] = MEMORY;
        }
    }

    private long digest(long before, long mask, int kind) {
        RegisterFile r = bench.registers;
        boolean mem = (kind & MEM) != 0;
        long d = before;
        for (int i = 0; i < 16; i++) {
            if (i != RSP && !(mem && i == RBX)) {
                d = (d ^ r.gpr[i]) * PRIME;
            }
        }
        d = (d ^ r.rflags & mask & 0xffff) * PRIME;
        for (int i = 0; mem && i < WORDS; i++) {
            d = (d ^ bench.memory.load64(Bench.DATA_HPA + 0x100 + 8 * i)) * PRIME;
        }
        for (int i = 0; (kind & VECTOR) != 0 && i < 64; i++) {
            d = (d ^ ((i & 2) == 0 ? r.xmm : r.ymm)[i >> 2 << 1 | i & 1]) * PRIME;
        }
        if ((kind & MXCSR) != 0) {
            d = (d ^ r.mxcsr) * PRIME;
        }
        if ((kind & FPU) != 0) {
            d = (d ^ r.fpu.control ^ (r.fpu.status & mask >>> 16) << 16 ^ (long) r.fpu.used << 32) * PRIME;
            for (int i = 0; i < 8; i++) {
                int n = i + (r.fpu.status >>> 11) & 7;
                d = (d ^ r.fpu.significand[n]) * PRIME;
                d = (d ^ r.fpu.exponent[n] & 0xffff) * PRIME;
            }
        }
        return d;
    }
}
