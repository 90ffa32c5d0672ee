package org.penumbra.api.cpu;

/**
 * The x87 FPU of a vCPU (SDM vol. 1, "x87 FPU Data Registers"): eight registers of 80 bits by physical number, as FXSAVE's image has them.
 * Plain fields; used by the thread that runs the vCPU.
 */
public final class FpuRegisters {
    /** Status word: exception summary; top of the stack. */
    public static final int ES = 1 << 7;
    public static final int TOP = 7 << 11;
    /** Busy, which is ES again. */
    public static final int BUSY = 1 << 15;
    public static final int EXCEPTIONS = 0x3f;
    public static final int INITIAL_CONTROL = 0x37f;

    /** Bits 63:0 of a register; MMX registers are these. */
    public final long[] significand = new long[8];
    /** Bits 79:64: sign and exponent. */
    public final short[] exponent = new short[8];
    public int control = INITIAL_CONTROL;
    /** Status word, TOP in bits 13:11. */
    public int status;
    /** A bit for each physical register that is not empty. */
    public int used;
    public int opcode;
    public long instruction;
    public long operand;

    /** As FNINIT leaves it: the registers keep what they hold, and are empty. */
    public void reset() {
        control = INITIAL_CONTROL;
        status = 0;
        used = 0;
        opcode = 0;
        instruction = 0;
        operand = 0;
    }

    /** ES and B say whether an exception is pending that the control word does not mask. */
    public void summarize() {
        boolean pending = (status & ~control & EXCEPTIONS) != 0;
        status = pending ? status | ES | BUSY : status & ~(ES | BUSY);
    }
}
