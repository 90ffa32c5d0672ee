package org.penumbra.api.cpu;

/**
 * The x87 FPU of a vCPU (SDM vol. 1, "x87 FPU Data Registers"): eight registers of 80 bits by physical number, as FXSAVE's image has them.
 * Plain fields; used by the thread that runs the vCPU.
 */
public final class FpuRegisters {
    /** Status word: exception summary; top of the stack. */
    public static final int ES = 1 << 7;
    public static final int TOP = 7 << 11;

    /** Bits 63:0 of a register; MMX registers are these. */
    public final long[] significand = new long[8];
    /** Bits 79:64: sign and exponent. */
    public final short[] exponent = new short[8];
    public int control = 0x37f;
    /** Status word, TOP in bits 13:11. */
    public int status;
    /** A bit for each physical register that is not empty. */
    public int used;
    public int opcode;
    public long instruction;
    public long operand;
}
