package org.penumbra.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import java.util.HexFormat;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.cpu.Segments;
import org.penumbra.api.machine.MachineException;

/** The engine on a processor of its own: code, its changes, faults and what is restarted. */
class EngineTest {
    private static final long HANDLERS = Bench.HANDLERS;
    private static final long STACK = Bench.STACK;
    private static final int RCX = RegisterFile.RCX;
    private static final int RSI = 6;
    private static final int RDI = 7;

    private final Bench bench = new Bench();
    private final RegisterFile r = bench.registers;

    @BeforeEach
    void handlers() {
        bench.handlers();
    }

    private void data(long gva, long value) {
        bench.data(gva, value);
    }

    private long stack(int word) {
        return bench.memory.load64(r.gpr[4] - Bench.DATA + Bench.DATA_HPA + 8 * word);
    }

    private void code(long at, String hex) {
        bench.code(at, HexFormat.of().parseHex(hex.replace(" ", "")));
    }

    private void expectHandler(int vector) {
        assertThat(r.rip).isEqualTo(HANDLERS + 16 * vector);
    }

    @Test
    @DisplayName("G01 code that somebody else writes between two instructions is executed as it is then")
    void crossModifying() {
        code(Bench.CODE, "b8 01000000 eb f9");
        bench.run(4);
        assertThat(r.gpr[0]).isEqualTo(1);
        bench.memory.store(Bench.CODE_HPA + 1, 1, 7);
        bench.run(2);
        assertThat(r.gpr[0]).isEqualTo(7);
    }

    @ParameterizedTest(name = "G01 in a steady state edits of page tables, INVLPG, loads and stores allocate nothing; TLBs modelled: {0}")
    @ValueSource(booleans = {true, false})
    void allocatesNothing(boolean modelled) {
        Bench own = new Bench(modelled);
        long window = 0x4000_0000L;
        own.memory.store64(0x2000 + 8, 0x5000 | 3);
        own.memory.store64(0x5000, Bench.DATA_HPA | 3);
        own.registers.gpr[RSI] = Bench.DATA;
        own.registers.gpr[RDI] = window;
        // lea eax, [rbx + rcx]; and eax, 511; shl eax, 12; add eax, 0x800003; mov [rsi + 8 * rcx], rax; invlpg [rdi]; mov [rdi], rax; mov rdx, [rdi]
        // sub rdx, rax; or rbp, rdx; add edi, 4096; inc ecx; cmp ecx, 512; jne to the first; xor ecx, ecx; mov edi, window; inc ebx; jmp to the first
        own.code(Bench.CODE, HexFormat.of().parseHex("8d040b25ff010000c1e00c0503008000488904ce0f013f488907488b174829c24809d581c700100000"
                + "ffc181f90002000075cd31c9bf00000040ffc3ebc2"));
        // So often that both runs are methods.
        own.run(1_000_000);
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long before = threads.getCurrentThreadAllocatedBytes();
        own.run(1_000_000);
        // Less than a byte for ten INVLPG.
        assertThat(threads.getCurrentThreadAllocatedBytes() - before).isLessThan(1_000_000 / 14 / 10);
        assertThat(own.registers.gpr[5]).as("each page holds what was written").isZero();
        assertThat(own.registers.gpr[3]).as("rounds").isEqualTo(2_000_000 / (14 * 512 + 4));
    }

    @Test
    @DisplayName("G01 an instruction over two pages, of which the second is not there, is a page fault at that page and not executed")
    void fetchOverTwoPages() {
        // The last four bytes of the code page that is mapped; what follows is not.
        code(Bench.CODE + 0x1f_fffc, "b8 01 02 03");
        bench.run(1);
        expectHandler(14);
        assertThat(r.cr2).isEqualTo(Bench.CODE + 0x20_0000);
        assertThat(stack(0)).as("error code: instruction fetch").isEqualTo(0x10);
        assertThat(stack(1)).as("RIP").isEqualTo(Bench.CODE + 0x1f_fffc);
        assertThat(r.gpr[0]).isZero();
    }

    @Test
    @DisplayName("G01 16 bytes of an instruction are #GP(0)")
    void tooLong() {
        code(Bench.CODE, "66".repeat(15) + "90");
        bench.run(1);
        expectHandler(13);
        assertThat(stack(0)).isZero();
        assertThat(stack(1)).isEqualTo(Bench.CODE);
    }

    @Test
    @DisplayName("G01 REP MOVSB that faults has done what lies before the fault, and its registers say so")
    void stringRestart() {
        code(Bench.CODE, "f3 a4");
        r.gpr[RSI] = Bench.DATA;
        r.gpr[RDI] = Bench.DATA + 0x1f_fffd;
        r.gpr[RCX] = 10;
        data(Bench.DATA, 0x8877_6655_4433_2211L);
        bench.run(1);
        expectHandler(14);
        assertThat(r.gpr[RCX]).isEqualTo(7);
        assertThat(r.gpr[RDI]).isEqualTo(Bench.DATA + 0x20_0000);
        assertThat(bench.memory.load(Bench.DATA_HPA + 0x1f_fffd, 3)).isEqualTo(0x33_2211);
        assertThat(stack(1)).isEqualTo(Bench.CODE);
        assertThat(bench.cpu.guestTime().retired()).as("the jump of the handler alone").isEqualTo(1);
    }

    @Test
    @DisplayName("G01 PUSH, CALL and POP to memory leave the stack pointer as it was when they fault")
    void stackRestart() {
        long gone = Bench.DATA + 0x20_0000;
        for (String hex : new String[] {"50", "e8 00000000", "ff 36", "9c", "68 01000000"}) {
            code(Bench.CODE, hex);
            // Neither this nor the frame of the fault can be stored.
            r.gpr[4] = gone + 0x100;
            r.gpr[RSI] = Bench.DATA;
            assertThatThrownBy(() -> bench.run(1)).isInstanceOf(MachineException.class).hasMessageContaining("triple fault");
            assertThat(r.gpr[4]).as(hex).isEqualTo(gone + 0x100);
            assertThat(r.rip).as(hex).isEqualTo(Bench.CODE);
        }
        code(Bench.CODE, "8f 06");
        r.gpr[4] = STACK;
        r.gpr[RSI] = gone;
        bench.run(1);
        expectHandler(14);
        assertThat(r.gpr[4]).as("a frame of six words").isEqualTo(STACK - 48);
    }

    @Test
    @DisplayName("G01 a bit that a register selects may lie before and behind its operand")
    void bitStrings() {
        code(Bench.CODE, "48 0f ab 0e 48 0f ab 16");
        r.gpr[RSI] = Bench.DATA + 0x100;
        r.gpr[RCX] = -1;
        r.gpr[2] = 64 * 3 + 5;
        bench.run(2);
        assertThat(bench.memory.load64(Bench.DATA_HPA + 0xf8)).isEqualTo(Long.MIN_VALUE);
        assertThat(bench.memory.load64(Bench.DATA_HPA + 0x118)).isEqualTo(1 << 5);
    }

    @Test
    @DisplayName("G01 strings: direction, sizes, REPE and REPNE")
    void strings() {
        code(Bench.CODE, "fd f3 66 ab fc f2 ae f3 a6");
        r.gpr[0] = 0x4142;
        r.gpr[RDI] = Bench.DATA + 6;
        r.gpr[RCX] = 4;
        bench.run(2);
        assertThat(bench.memory.load64(Bench.DATA_HPA)).isEqualTo(0x4142_4142_4142_4142L);
        assertThat(r.gpr[RDI]).isEqualTo(Bench.DATA - 2);
        r.gpr[0] = 0x41;
        r.gpr[RDI] = Bench.DATA;
        r.gpr[RCX] = 100;
        bench.run(2);
        assertThat(r.gpr[RCX]).as("found at the second byte").isEqualTo(98);
        r.gpr[RSI] = Bench.DATA;
        r.gpr[RDI] = Bench.DATA + 2;
        bench.memory.store(Bench.DATA_HPA + 5, 1, 0);
        bench.run(1);
        assertThat(r.gpr[RSI]).as("different at the fourth byte").isEqualTo(Bench.DATA + 4);
    }

    @Test
    @DisplayName("G01 a VEX prefix is #UD in real mode, for general registers, too")
    void vexInRealMode() {
        r.paging = r.paging.withCr0(r.paging.cr0() & ~0x8000_0001L).withEfer(0);
        r.segments.set(Segments.CS, 0, Bench.CODE_HPA, 0xffff, 0x93);
        r.segments.set(Segments.SS, 0, Bench.DATA_HPA, 0xffff, 0x93);
        r.segments.idtBase = Bench.DATA_HPA + 0x8000;
        bench.memory.store(Bench.DATA_HPA + 0x8000 + 4 * 6, 4, 0x5000);
        bench.memory.store(0x5000, 2, 0xfeeb);
        code(Bench.CODE, "c4 e2 70 f2 c2");
        r.rip = 0;
        r.gpr[4] = 0x1000;
        bench.run(1);
        assertThat(r.rip).isEqualTo(0x5000);
    }

    @Test
    @DisplayName("G01 #UD of SSE without CR4.OSFXSR, #NM with CR0.TS")
    void sseEnabled() {
        code(Bench.CODE, "0f 28 c1");
        bench.run(1);
        expectHandler(6);
        r.paging = r.paging.withCr4(r.paging.cr4() | 1 << 9).withCr0(r.paging.cr0() | 1 << 3);
        code(Bench.CODE, "0f 28 c1");
        bench.run(1);
        expectHandler(7);
    }

    @Test
    @DisplayName("G01 FXSAVE's image comes back by FXRSTOR, and must be aligned")
    void fxsave() {
        r.paging = r.paging.withCr4(r.paging.cr4() | 1 << 9);
        for (int i = 0; i < r.xmm.length; i++) {
            r.xmm[i] = 0x1111_1111_1111L * i;
        }
        long[] before = r.xmm.clone();
        r.mxcsr = 0x1f00;
        code(Bench.CODE, "0f ae 06 0f ae 0e");
        r.gpr[RSI] = Bench.DATA;
        bench.run(1);
        Arrays.fill(r.xmm, 0);
        r.mxcsr = 0x1f80;
        bench.run(1);
        assertThat(r.xmm).isEqualTo(before);
        assertThat(r.mxcsr).isEqualTo(0x1f00);
        assertThat(bench.memory.load(Bench.DATA_HPA, 2)).isEqualTo(0x37f);
        code(Bench.CODE, "0f ae 06");
        r.gpr[RSI] = Bench.DATA + 8;
        bench.run(1);
        expectHandler(13);
    }

    @Test
    @DisplayName("G01 a limit is checked in compatibility mode, and offsets wrap at 4 GiB")
    void compatibility() {
        r.segments.set(Segments.CS, 8, 0, 0xffff_ffffL, 0xc09b);
        r.segments.set(Segments.SS, 16, 0, 0xffff_ffffL, 0xc093);
        r.segments.set(Segments.DS, 16, Bench.DATA, 0xfff, 0x4093);
        code(Bench.CODE, "8b 06 8b 06");
        data(Bench.DATA + 0xff8, 0x1234_5678_0000_0000L);
        r.gpr[RSI] = 0xffc;
        bench.run(1);
        assertThat(r.gpr[0]).isEqualTo(0x1234_5678);
        r.gpr[RSI] = 0xffd;
        bench.run(1);
        expectHandler(13);
    }
}
