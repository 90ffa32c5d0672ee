package org.penumbra.cpu.decode;

import org.penumbra.cpu.table.Entry;
import org.penumbra.cpu.table.Op;

/** A decoded instruction. Immutable once the {@link Decoder} has made it; holds nothing of where it stands. */
public final class Insn {
    /** Kinds of operands. */
    public static final int NONE = 0;
    /** General-purpose register {@code reg}, its low {@code width} bytes. */
    public static final int GPR = 1;
    /** AH, CH, DH, BH: bits 15:8 of general-purpose register {@code reg}. */
    public static final int HIGH = 2;
    public static final int MEM = 3;
    /** {@link #imm}, or {@link #imm2} if another operand is that. */
    public static final int IMM = 4;
    public static final int SEG = 5;
    public static final int CR = 6;
    public static final int DR = 7;
    public static final int XMM = 8;
    public static final int MMX = 9;
    /** Selector {@link #imm2}, offset {@link #imm}. */
    public static final int FAR = 10;
    /** x87 register by its distance from the top of the stack. */
    public static final int ST = 11;
    /** {@link #base}: the address of the next instruction. */
    public static final int RIP = 16;

    public Op op;
    /** The row of the table; null for {@link Op#UNDEFINED} and {@link Op#TOO_LONG}. */
    public Entry entry;
    /** Bytes of the instruction. */
    public int length;
    /** Bytes of the operation: 1, 2, 4, 8. */
    public int size;
    /** Bytes of addresses: 2, 4, 8. */
    public int addressSize;
    /** Operands: kind, register, bytes. */
    public int ak;
    public int ar;
    public int aw;
    public int bk;
    public int br;
    public int bw;
    public int ck;
    public int cr;
    public int cw;
    public long imm;
    public long imm2;
    /** Memory operand: registers or -1, shift of the index, segment. */
    public int base = -1;
    public int index = -1;
    public int scale;
    public long disp;
    public int segment;
    /** Low four bits of the opcode, for conditions. */
    public int condition;
    /** Of a vector instruction: bytes of an element; only the lowest; memory need not be aligned; rounds as MXCSR says, not towards 0. */
    public int lane;
    public boolean scalar;
    public boolean unaligned;
    public boolean rounds;
    /** 64-bit words of a vector: 1 (MMX), 2, 4. */
    public int words;
    /** First source of a vector instruction: the register in VEX.vvvv, or the destination. */
    public int hr;
    /** VEX-encoded; works on XMM or YMM registers; on MMX registers. */
    public boolean vex;
    public boolean xmm;
    public boolean mmx;
    /** x87: opcode of 11 bits (low three of the first byte, ModRM); memory is an integer; how often the stack is popped afterwards. */
    public int x87;
    public boolean integer;
    public int pops;
    /** 0, 0xf2 or 0xf3. */
    public int rep;
    public boolean lock;
    /** Ends a straight run of code. */
    public boolean ends;
}
