package org.penumbra.cpu.execute;

import java.io.ByteArrayOutputStream;
import java.util.SplittableRandom;
import org.penumbra.api.cpu.Segments;
import org.penumbra.cpu.Bench;

/**
 * A program of random instructions that loops for ever: arithmetic, memory, stack, branches, strings, flags, some system instructions, and bytes
 * without a plan. Its pointers lead into data, to the end of what is mapped, and into the program itself.
 */
final class RandomProgram {
    private static final int RSP = 4;
    /** Registers that hold pointers, most of the time: RBX, RSI, RDI. */
    private static final int[] POINTERS = {3, 6, 7};
    /** Opcodes with ModRM and without an immediate value: arithmetic, TEST, XCHG, MOV. */
    private static final int[] PLAIN = {0x00, 0x01, 0x02, 0x03, 0x08, 0x09, 0x0b, 0x11, 0x13, 0x19, 0x1b, 0x21, 0x23, 0x29, 0x2b, 0x31, 0x33, 0x38, 0x39, 0x3b,
        0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0x89, 0x8b};
    /** Second opcode bytes: CMOVcc, SETcc, IMUL, MOVZX, MOVSX, bit tests, SHLD, XADD, CMPXCHG. */
    private static final int[] SECOND = {0x40, 0x42, 0x44, 0x46, 0x4c, 0x4f, 0x90, 0x92, 0x94, 0x9e, 0xaf, 0xb6, 0xb7, 0xbe, 0xbf, 0xa3, 0xab, 0xb3, 0xbb, 0xa5,
        0xad, 0xbc, 0xbd, 0xc0, 0xc1, 0xb0, 0xb1};
    /** CMC, CLC, STC, CLI, STI, CLD, STD, NOP, PUSHF, POPF, LEAVE, CWDE, CDQ, LAHF, SAHF, XLAT. */
    private static final int[] SINGLE = {0xf5, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0x90, 0x9c, 0x9d, 0xc9, 0x98, 0x99, 0x9f, 0x9e, 0xd7};
    private static final int[] STRINGS = {0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf};
    /** RDTSC, CPUID, UD2, MOV from and to CR3, MOV to SS of a null selector, MOV to DR0, MOV to and from DR7, INVLPG [RSI], HLT, INT3, PAUSE, CLTS. */
    private static final int[][] SYSTEM = {{0x0f, 0x31}, {0x0f, 0x31}, {0x0f, 0xa2}, {0x0f, 0x0b}, {0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8},
        {0x31, 0xc0, 0x8e, 0xd0}, {0x0f, 0x23, 0xc6}, {0xb8, 1, 4, 3, 0, 0x0f, 0x23, 0xf8}, {0x31, 0xc0, 0x0f, 0x23, 0xf8}, {0x0f, 0x21, 0xf8},
        {0x0f, 0x01, 0x3e}, {0xf4}, {0xcc}, {0xf3, 0x90}, {0x0f, 0x06}};

    private static final long RETURNS = Bench.HANDLERS + 0x400;

    private final SplittableRandom random;
    private final byte[][] code;
    private final int[] at;

    RandomProgram(long seed) {
        random = new SplittableRandom(seed);
        int count = 8 + random.nextInt(60);
        code = new byte[count][];
        at = new int[count + 1];
        // Lengths first, as branches need them: the same numbers are drawn again.
        for (int pass = 0; pass < 2; pass++) {
            SplittableRandom draw = new SplittableRandom(seed);
            for (int i = 0; i < count; i++) {
                code[i] = instruction(draw, i, count);
                at[i + 1] = at[i] + code[i].length;
            }
        }
    }

    /**
     * Puts the program at {@link Bench#CODE}, and handlers that return to somewhere in it with an empty stack.
     *
     * @param narrow in a code segment of 32 bits, which begins with the program and may end within its last instruction
     */
    void load(Bench bench, boolean narrow) {
        bench.handlers();
        bench.registers.system.xcr0 = 1;
        long base = narrow ? 0 : Bench.CODE;
        for (int v = 0; v < 32; v++) {
            handler(bench, v, base + at[random.nextInt(code.length)]);
        }
        if (narrow) {
            narrow(bench, length() - 1 - random.nextInt(6));
        }
        for (int i = 0; i < code.length; i++) {
            bench.code(Bench.CODE + at[i], code[i]);
        }
        int end = at[code.length];
        ByteArrayOutputStream o = new ByteArrayOutputStream();
        bytes(o, 0xe9);
        little(o, -(end + 5), 4);
        bench.code(Bench.CODE + end, o.toByteArray());
        for (int i = 0; i < 16; i++) {
            bench.registers.gpr[i] = i == RSP ? Bench.STACK : pointer(random);
        }
        for (int i = 0; i < 1024; i++) {
            bench.data(Bench.DATA + 8 * i, random.nextLong());
        }
        bench.registers.rip = base;
    }

    /** The handler of vector {@code v} drops the error code, if there is one, and returns to {@code to}. */
    private static void handler(Bench bench, int v, long to) {
        ByteArrayOutputStream jump = new ByteArrayOutputStream();
        bytes(jump, Events.hasErrorCode(v) ? 0x58 : 0x90, 0xe9);
        little(jump, RETURNS - Bench.HANDLERS + 16 * v - 6, 4);
        bench.code(Bench.HANDLERS + 16 * v, jump.toByteArray());
        ByteArrayOutputStream back = new ByteArrayOutputStream();
        // mov qword [rsp], to; mov qword [rsp + 24], STACK; iretq
        bytes(back, 0x48, 0xc7, 0x04, 0x24);
        little(back, to, 4);
        bytes(back, 0x48, 0xc7, 0x44, 0x24, 0x18);
        little(back, Bench.STACK, 4);
        bytes(back, 0x48, 0xcf);
        bench.code(RETURNS + 32 * v, back.toByteArray());
    }

    private static void narrow(Bench bench, int limit) {
        // SDM vol. 3, "Segment Descriptors": base 31:24, D and P and type of code, base 23:0, limit 15:0.
        bench.data(bench.registers.segments.gdtBase + 16, Bench.CODE >>> 24 << 56 | 0x0040_9b00_0000_0000L | (Bench.CODE & 0xff_ffff) << 16 | limit);
        bench.data(bench.registers.segments.gdtBase + 24, 0x00cf_9300_0000_ffffL);
        bench.registers.segments.gdtLimit = 31;
        bench.registers.segments.set(Segments.CS, 16, Bench.CODE, limit, 0x409b);
        for (int s : new int[] {Segments.SS, Segments.DS, Segments.ES}) {
            bench.registers.segments.set(s, 24, 0, 0xffff_ffffL, 0xc093);
        }
    }

    /** How many bytes the program has. */
    int length() {
        return at[code.length] + 5;
    }

    private static long pointer(SplittableRandom draw) {
        switch (draw.nextInt(8)) {
            case 0:
                return Bench.DATA + 0x20_0000 - 48 + draw.nextInt(56);
            case 1:
                return Bench.CODE + draw.nextInt(200);
            case 2:
                return Bench.DATA + 0xfe0 + draw.nextInt(32);
            default:
                return Bench.DATA + 0x100 + 8 * draw.nextInt(64);
        }
    }

    private byte[] instruction(SplittableRandom draw, int number, int count) {
        ByteArrayOutputStream o = new ByteArrayOutputStream();
        switch (draw.nextInt(20)) {
            case 0:
                bytes(o, 0xb8 | POINTERS[draw.nextInt(POINTERS.length)]);
                little(o, pointer(draw), 4);
                break;
            case 1:
                bytes(o, 0xb9);
                little(o, draw.nextInt(40), 4);
                if (draw.nextBoolean()) {
                    bytes(o, draw.nextBoolean() ? 0xf3 : 0xf2);
                }
                bytes(o, STRINGS[draw.nextInt(STRINGS.length)]);
                break;
            case 2:
            case 3:
                int condition = draw.nextInt(16);
                branch(o, draw, number, count, 0x0f, 0x80 | condition);
                break;
            case 4:
                int kind = draw.nextInt(4);
                if (kind == 0) {
                    bytes(o, 0xc3);
                } else {
                    branch(o, draw, number, count, kind == 1 ? 0xe9 : 0xe8);
                }
                break;
            case 5:
            case 6:
                prefix(o, draw);
                bytes(o, 0x83);
                operand(o, draw, draw.nextInt(8));
                bytes(o, draw.nextInt(256));
                break;
            case 7:
                prefix(o, draw);
                bytes(o, new int[] {0xc1, 0xd1, 0xd3}[number % 3]);
                operand(o, draw, draw.nextInt(8));
                if (number % 3 == 0) {
                    bytes(o, draw.nextInt(256));
                }
                break;
            case 8:
                prefix(o, draw);
                bytes(o, draw.nextBoolean() ? 0xff : 0xfe);
                operand(o, draw, draw.nextInt(2));
                break;
            case 9:
                prefix(o, draw);
                bytes(o, 0xf7);
                operand(o, draw, 2 + draw.nextInt(6));
                break;
            case 10:
                bytes(o, 0x50 | draw.nextInt(8));
                break;
            case 11:
                bytes(o, 0x58 | new int[] {0, 1, 2, 5}[draw.nextInt(4)]);
                break;
            case 12:
                bytes(o, SINGLE[draw.nextInt(SINGLE.length)]);
                break;
            case 13:
                for (int b : SYSTEM[draw.nextInt(SYSTEM.length)]) {
                    bytes(o, b);
                }
                break;
            case 14:
                prefix(o, draw);
                int second = SECOND[draw.nextInt(SECOND.length)];
                bytes(o, 0x0f, second);
                operand(o, draw, draw.nextInt(8));
                break;
            case 15:
                bytes(o, 0x48, 0x8d, 0x84 | draw.nextInt(8) << 3, draw.nextInt(256));
                little(o, draw.nextInt(), 4);
                break;
            case 16:
                // MOV and LEA relative to RIP.
                bytes(o, 0x48, draw.nextBoolean() ? 0x8b : 0x8d, 0x05 | draw.nextInt(4) << 3);
                little(o, draw.nextInt(256), 4);
                break;
            case 17:
                for (int n = draw.nextInt(6); n >= 0; n--) {
                    bytes(o, draw.nextInt(256));
                }
                break;
            default:
                prefix(o, draw);
                bytes(o, PLAIN[draw.nextInt(PLAIN.length)]);
                operand(o, draw, draw.nextInt(8));
        }
        return o.toByteArray();
    }

    private static void prefix(ByteArrayOutputStream o, SplittableRandom draw) {
        int p = draw.nextInt(8);
        if (p == 0) {
            bytes(o, 0x66);
        }
        if (p == 1) {
            bytes(o, 0x40 | draw.nextInt(16));
        } else if (p > 2) {
            bytes(o, 0x48);
        }
    }

    /** ModRM with {@code reg}: a register other than RSP, or memory by a pointer. */
    private static void operand(ByteArrayOutputStream o, SplittableRandom draw, int reg) {
        int other = reg == RSP ? 5 : reg;
        if (draw.nextInt(5) < 3) {
            int rm = draw.nextInt(8);
            bytes(o, 0xc0 | other << 3 | (rm == RSP ? 0 : rm));
        } else {
            bytes(o, 0x40 | other << 3 | POINTERS[draw.nextInt(POINTERS.length)], draw.nextInt(256));
        }
    }

    private void branch(ByteArrayOutputStream o, SplittableRandom draw, int number, int count, int... opcode) {
        bytes(o, opcode);
        int target = draw.nextInt(4) > 0 ? number + 1 + draw.nextInt(Math.max(1, Math.min(6, count - number))) : draw.nextInt(count);
        little(o, at[Math.min(target, count)] - (at[number] + opcode.length + 4), 4);
    }

    private static void bytes(ByteArrayOutputStream o, int... values) {
        for (int v : values) {
            o.write(v);
        }
    }

    private static void little(ByteArrayOutputStream o, long value, int count) {
        for (int i = 0; i < count; i++) {
            o.write((int) (value >>> 8 * i));
        }
    }
}
