package org.penumbra.cpu.decode;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.HexFormat;
import java.util.stream.Stream;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Label;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.penumbra.cpu.table.Entry;
import org.penumbra.cpu.table.InstructionTable;
import org.penumbra.cpu.table.Op;
import org.penumbra.cpu.vectors.Encoder;

/** SDM vol. 2, "Instruction Format". */
class DecoderTest {
    private final InstructionTable table = new InstructionTable();
    private final Decoder decoder = new Decoder(table);

    private String text(String hex, int bits) {
        byte[] code = HexFormat.of().parseHex(hex.replace(" ", ""));
        Insn i = decoder.decode(code, code.length, bits);
        return i == null ? "incomplete" : i.length + " " + (i.op == Op.TOO_LONG ? "too long" : Disassembler.text(i, 0x1000));
    }

    @ParameterizedTest(name = "G01 {1} bits: {0} is {2}")
    @CsvSource(delimiter = '|', value = {
        "90                      | 64 | 1 xchg eax, eax", "48 89 c8 | 64 | 3 mov rax, rcx", "89 c8 | 16 | 2 mov ax, cx", "66 89 c8 | 16 | 3 mov eax, ecx",
        "88 e0                   | 64 | 2 mov al, ah", "40 88 e0 | 64 | 3 mov al, spl", "44 88 f0 | 64 | 3 mov al, r14b",
        "48 b8 0102030405060708  | 64 | 10 mov rax, 0x807060504030201",
        "8b 05 10000000          | 64 | 6 mov eax, dword [rip+0x10]", "8b 05 10000000 | 32 | 6 mov eax, dword [0x10]",
        "8b 84 24 80000000       | 64 | 7 mov eax, dword [rsp+0x80]", "42 8b 04 a5 00000000 | 64 | 8 mov eax, dword [r12*4]",
        "41 8b 45 00             | 64 | 4 mov eax, dword [r13]", "67 8b 00 | 64 | 3 mov eax, dword [eax]",
        "8b 42 f8                | 16 | 3 mov ax, word [bp+si-0x8]", "8b 06 3412 | 16 | 4 mov ax, word [0x1234]",
        "64 8b 00                | 64 | 3 mov eax, dword fs:[rax]", "2e 8b 00 | 64 | 3 mov eax, dword [rax]",
        "48 66 89 c8             | 64 | 4 mov ax, cx", "66 48 89 c8 | 64 | 4 mov rax, rcx",
        "f3 90                   | 64 | 2 pause", "f3 0f b8 c1 | 64 | 4 popcnt eax, ecx", "66 f3 0f b8 c1 | 64 | 5 popcnt ax, cx",
        "0f bc c1                | 64 | 3 bsf eax, ecx", "f3 0f bc c1 | 64 | 4 tzcnt eax, ecx",
        "74 fe                   | 64 | 2 je 0x1000", "0f 85 00010000 | 64 | 6 jne 0x1106", "e8 fbffffff | 64 | 5 call 0x1000",
        "50                      | 64 | 1 push rax", "66 50 | 64 | 2 push ax", "41 57 | 64 | 2 push r15", "40 | 32 | 1 inc eax",
        "f0 48 0f b1 0b          | 64 | 5 lock cmpxchg qword [rbx], rcx", "f0 48 0f b1 cb | 64 | 5 (bad)", "f0 8b 00 | 64 | 3 (bad)",
        "63 c1                   | 64 | 2 movsxd eax, ecx", "63 c1 | 32 | 2 arpl cx, ax", "06 | 64 | 1 (bad)", "06 | 32 | 1 push es",
        "c4 e2 70 f2 c2          | 64 | 5 andn eax, ecx, edx", "c4 e2 f0 f2 c2 | 64 | 5 andn rax, rcx, rdx", "c4 00 | 32 | 2 les eax, [eax]",
        "c5 f1 fc c2             | 64 | 4 vpaddb xmm0, xmm1, xmm2", "c5 f5 fc 43 10 | 64 | 5 vpaddb ymm0, ymm1, [rbx+0x10]", "c4 41 31 fc c2 | 64 | 5 vpaddb xmm8, xmm9, xmm10",
        "c5 f9 fc c2             | 64 | 4 vpaddb xmm0, xmm0, xmm2", "c5 f1 72 d2 05 | 64 | 5 vpsrld xmm1, xmm2, 0x5", "c4 e3 71 4a c2 30 | 64 | 6 vblendvps xmm0, xmm1, xmm2, xmm3",
        "c4 e2 6d 90 04 8e       | 64 | 6 vpgatherdd ymm0, dword [rsi+ymm1*4], ymm2", "c4 e2 6d 90 06 | 64 | 5 (bad)", "c5 71 28 c2 | 64 | 3 (bad)", "c4 e2 79 19 00 | 64 | 4 (bad)",
        "c4 e2 fd 18 00          | 64 | 4 (bad)", "c5 fc 77 | 64 | 3 vzeroall", "c5 f8 77 | 32 | 3 vzeroupper", "c5 f1 fc c2 | 32 | 4 vpaddb xmm0, xmm1, xmm2",
        "f3 c5 f1 fc c2          | 64 | 3 (bad)", "66 0f fc c1 | 64 | 4 paddb xmm0, xmm1", "0f fc c1 | 64 | 3 paddb mm0, mm1", "f0 66 0f fc 00 | 64 | 5 (bad)",
        "d8 c3                   | 64 | 2 fadd st0, st3", "de c3 | 64 | 2 faddp st3, st0", "db 2b | 64 | 2 fld [rbx]", "da 03 | 64 | 2 fiadd dword [rbx]", "d9 d1 | 64 | 1 (bad)",
        "d9 ef                   | 64 | 1 (bad)", "66 f2 0f 38 f1 c1 | 64 | 6 crc32 eax, cx", "f2 48 0f 38 f1 c1 | 64 | 6 crc32 rax, rcx",
        "66 c4 e2 70 f2 c2       | 64 | 4 (bad)", "0f 01 f8 | 64 | 3 swapgs", "0f 01 f8 | 32 | 2 (bad)", "0f 01 38 | 64 | 3 invlpg [rax]",
        "0f 20 18                | 64 | 3 mov rax, cr3", "9a 78563412 0800 | 32 | 7 callf 0x8:0x12345678",
        "c8 1000 02              | 64 | 4 enter 0x10, 0x2", "48                      | 64 | incomplete", "0f | 64 | incomplete", "8b 84 | 64 | incomplete",
        "f3 48 a5                | 64 | 3 rep movsq", "f2 ae | 64 | 2 repne scasb",
    })
    void decodes(String hex, int bits, String expected) {
        assertThat(text(hex, bits)).isEqualTo(expected);
    }

    @Test
    @DisplayName("G01 an instruction of 15 bytes is one, of 16 is too long")
    void limit() {
        assertThat(text("66".repeat(13) + "89 c8", 64)).isEqualTo("15 mov ax, cx");
        assertThat(text("66".repeat(14) + "89 c8", 64)).isEqualTo("15 too long");
        assertThat(text("66".repeat(14), 64)).isEqualTo("incomplete");
    }

    @Test
    @DisplayName("G01 PUSH and POP name the segment register of their opcode")
    void segmentRegisters() {
        assertThat(Stream.of("06", "0e", "16", "1e", "0f a0", "0f a8").map(o -> text(o, 32)))
                .containsExactly("1 push es", "1 push cs", "1 push ss", "1 push ds", "2 push fs", "2 push gs");
        assertThat(Stream.of("07", "17", "1f", "0f a1", "0f a9").map(o -> text(o, 32)))
                .containsExactly("1 pop es", "1 pop ss", "1 pop ds", "2 pop fs", "2 pop gs");
    }

    @Test
    @DisplayName("G01 each row of the table is found by its encoding, and no bytes are left or missing")
    void everyRow() {
        for (Entry e : table.entries()) {
            if (e.op() == null || e.has("i64") || e.operands().contains("Ov") || e.operands().contains("Ob")) {
                continue;
            }
            Encoder c = new Encoder(e);
            c.size = e.has("d64") || e.has("f64") ? 8 : 4;
            c.memory = e.operands().stream().anyMatch(o -> o.charAt(0) == 'M' || o.equals("X"));
            c.reg = e.op() == Op.MOV_TO_CR || e.op() == Op.MOV_FROM_CR || e.op() == Op.MOV_TO_SEG || e.opcode() == 0x90 ? 3 : 1;
            byte[] code = e.third() >= 0 ? third(e) : c.bytes();
            byte[] longer = Arrays.copyOf(code, 15);
            Insn i = decoder.decode(longer, 15, 64);
            assertThat(i.entry).as(e.code() + " " + HexFormat.of().formatHex(code)).isSameAs(e);
            assertThat(i.length).as(e.code()).isEqualTo(code.length);
            for (int n = 0; n < code.length; n++) {
                assertThat(decoder.decode(code, n, 64)).as(e.code() + ", " + n + " bytes").isNull();
            }
        }
    }

    private static byte[] third(Entry e) {
        byte[] start = e.prefix() > 0 ? new byte[] {(byte) e.prefix(), 0x0f} : e.map() == 1 ? new byte[] {0x0f} : new byte[0];
        byte[] code = Arrays.copyOf(start, start.length + 2);
        code[start.length] = (byte) e.opcode();
        code[start.length + 1] = (byte) e.third();
        return code;
    }

    @Property(tries = 20_000)
    @Label("G01 15 bytes of anything are an instruction of 1 to 15 bytes, none, or too long, and its last byte counts")
    void anything(@ForAll @Size(15) byte[] bytes) {
        for (int bits : new int[] {16, 32, 64}) {
            Insn i = decoder.decode(bytes, 15, bits);
            assertThat(i.length).isBetween(1, 15);
            if (i.entry != null) {
                assertThat(decoder.decode(bytes, i.length, bits)).isNotNull();
                assertThat(decoder.decode(bytes, i.length - 1, bits)).isNull();
                assertThat(Disassembler.text(i, 0)).doesNotContain("?");
            }
        }
    }

    @Example
    @Label("G01 a REX prefix that is not the last prefix has no effect")
    void rexBeforePrefix() {
        assertThat(text("48 67 89 c8", 64)).isEqualTo("4 mov eax, ecx");
    }
}
