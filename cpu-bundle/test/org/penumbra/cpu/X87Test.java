package org.penumbra.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HexFormat;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.cpu.Segments;

/** x87 where native vectors do not reach: pending exceptions, the environment, faults. */
class X87Test {
    private static final long NE = 1 << 5;
    private static final int RSI = 6;
    private static final int PF = 14;
    private static final int MF = 16;
    private static final int DONE = -1;

    private final Bench bench = new Bench();
    private final RegisterFile r = bench.registers;

    @BeforeEach
    void start() {
        bench.handlers();
        r.paging = r.paging.withCr0(r.paging.cr0() | NE);
        r.gpr[RSI] = Bench.DATA;
    }

    private void expect(String hex, int vector) {
        bench.code(Bench.CODE, HexFormat.of().parseHex(hex.replace(" ", "")));
        r.gpr[4] = Bench.STACK;
        bench.run(1);
        assertThat(r.rip).as(hex).isEqualTo(vector < 0 ? Bench.CODE + hex.replace(" ", "").length() / 2 : Bench.HANDLERS + 16 * vector);
    }

    @Test
    @DisplayName("G01 an exception that is not masked is #MF at the next waiting instruction, with CR0.NE, and not at one that does not wait")
    void pending() {
        // fld1; fldz; fdivp with division by zero not masked
        r.fpu.control = 0x37b;
        expect("d9 e8", DONE);
        expect("d9 ee", DONE);
        expect("de f9", DONE);
        assertThat(r.fpu.status & 0x8084).as("ZE, ES, B").isEqualTo(0x8084);
        assertThat(r.fpu.status >>> 11 & 7).as("nothing is popped").isEqualTo(6);
        expect("df e0", DONE);
        expect("d9 c0", MF);
        expect("9b", MF);
        r.paging = r.paging.withCr0(r.paging.cr0() & ~NE);
        expect("d9 c0", DONE);
        r.paging = r.paging.withCr0(r.paging.cr0() | NE);
        expect("db e2", DONE);
        expect("9b", DONE);
    }

    // CR0: 2 MP, 4 EM, 8 TS.
    @ParameterizedTest(name = "G01 {0} with CR0 bits {1}: {2}")
    @CsvSource(delimiter = '|', value = {
        "d9 e8 | 4 | 7", "d9 e8 | 8 | 7", "d9 e8 | 2 | -1", "9b | 8 | -1", "9b | 4 | -1", "9b | 10 | 7", "db e3 | 4 | 7", "df e0 | 8 | 7", "d9 fe | 8 | 7",
    })
    void deviceNotAvailable(String hex, long cr0, int vector) {
        r.paging = r.paging.withCr0(r.paging.cr0() | cr0);
        expect(hex, vector);
    }

    // SDM vol. 1, figures "Protected Mode x87 FPU State Image in Memory, 32-Bit Format" and "… 16-Bit Format".
    @Test
    @DisplayName("G01 FNSTENV has full tags, opcode and pointers, and masks all exceptions; FLDENV brings them back")
    void environment() {
        r.fpu.control = 0x340;
        bench.data(Bench.DATA + 0x40, 0x3ff0_0000_0000_0000L);
        expect("dd 46 40", DONE);
        expect("d9 ee", DONE);
        expect("dd 46 40", DONE);
        expect("d9 36", DONE);
        assertThat(bench.memory.load(Bench.DATA_HPA, 2)).isEqualTo(0x340);
        assertThat(bench.memory.load(Bench.DATA_HPA + 4, 2)).as("TOP is 5").isEqualTo(5 << 11);
        assertThat(bench.memory.load(Bench.DATA_HPA + 8, 2)).as("5 and 7 valid, 6 zero, others empty").isEqualTo(0x13ff);
        assertThat(bench.memory.load(Bench.DATA_HPA + 12, 4)).isEqualTo(Bench.CODE);
        assertThat(bench.memory.load(Bench.DATA_HPA + 18, 2)).as("DD 46").isEqualTo(0x546);
        assertThat(bench.memory.load(Bench.DATA_HPA + 20, 4)).isEqualTo(Bench.DATA + 0x40);
        assertThat(r.fpu.control).isEqualTo(0x37f);
        expect("db e3", DONE);
        expect("d9 26", DONE);
        assertThat(r.fpu.control).isEqualTo(0x340);
        assertThat(r.fpu.used).isEqualTo(0xe0);
        assertThat(r.fpu.status).isEqualTo(5 << 11);
        assertThat(r.fpu.opcode).isEqualTo(0x546);
        expect("66 d9 36", DONE);
        assertThat(bench.memory.load(Bench.DATA_HPA + 4, 2)).isEqualTo(0x13ff);
    }

    @Test
    @DisplayName("G01 FNSAVE stores the registers from the top and initializes; FRSTOR brings them back")
    void save() {
        expect("d9 e8", DONE);
        expect("d9 eb", DONE);
        expect("dd 36", DONE);
        assertThat(bench.memory.load(Bench.DATA_HPA + 28, 4)).isEqualTo(0x2168_c235L);
        assertThat(bench.memory.load(Bench.DATA_HPA + 32, 4)).isEqualTo(0xc90f_daa2L);
        assertThat(bench.memory.load(Bench.DATA_HPA + 36, 2)).isEqualTo(0x4000);
        assertThat(bench.memory.load(Bench.DATA_HPA + 42, 4)).as("1").isEqualTo(0x8000_0000L);
        assertThat(r.fpu.used).isZero();
        r.fpu.significand[6] = 0;
        expect("dd 26", DONE);
        assertThat(r.fpu.significand[6]).isEqualTo(0xc90f_daa2_2168_c235L);
        assertThat(r.fpu.status >>> 11 & 7).isEqualTo(6);
    }

    @Test
    @DisplayName("G01 a store of ten bytes whose last are in a page that is not there stores and pops nothing")
    void storeOverTwoPages() {
        long end = Bench.DATA + 0x20_0000;
        expect("d9 e8", DONE);
        r.gpr[RSI] = end - 8;
        expect("db 3e", PF);
        assertThat(bench.data(end - 8)).isZero();
        assertThat(r.fpu.status >>> 11 & 7).isEqualTo(7);
        expect("df 36", PF);
        assertThat(r.fpu.used).isEqualTo(0x80);
    }

    @Test
    @DisplayName("G01 a store that faults leaves the status word as it was, although the number would have been rounded")
    void roundedStore() {
        expect("d9 eb", DONE);
        int status = r.fpu.status;
        r.gpr[RSI] = Bench.DATA + 0x20_0000;
        expect("d9 1e", PF);
        expect("dd 1e", PF);
        expect("df 1e", PF);
        assertThat(r.fpu.status).isEqualTo(status);
        r.gpr[RSI] = Bench.DATA;
        expect("d9 1e", DONE);
        assertThat(r.fpu.status & 0x20).as("PE").isEqualTo(0x20);
    }

    @Test
    @DisplayName("G01 an MMX register is the significand of an x87 register: TOP becomes 0, all are valid, a write makes the exponent all ones; EMMS empties them")
    void mmx() {
        expect("d9 e8", DONE);
        r.gpr[0] = 0x1234_5678;
        expect("0f 6e f8", DONE);
        assertThat(r.fpu.significand[7]).isEqualTo(0x1234_5678);
        assertThat(r.fpu.exponent[7]).isEqualTo((short) -1);
        assertThat(r.fpu.status >>> 11 & 7).isZero();
        assertThat(r.fpu.used).isEqualTo(0xff);
        expect("0f 77", DONE);
        assertThat(r.fpu.used).isZero();
        expect("d9 e8", DONE);
    }

    @Test
    @DisplayName("G01 without REX.W FXSAVE has the low halves of the pointers")
    void fxsave() {
        r.segments.base[Segments.DS] = 0;
        r.fpu.instruction = 0x1234_5678_9abcL;
        expect("0f ae 06", DONE);
        assertThat(bench.data(Bench.DATA + 8)).isEqualTo(0x5678_9abcL);
        expect("48 0f ae 06", DONE);
        assertThat(bench.data(Bench.DATA + 8)).isEqualTo(0x1234_5678_9abcL);
    }
}
