package org.penumbra.api.cpu;

/**
 * Segment registers with what their descriptors said, and the descriptor-table registers (SDM vol. 3, "Segment Registers"). Plain
 * arrays, indexed by {@link #ES} … {@link #TR}; used by the thread that runs the vCPU.
 *
 * <pre>
 *  rights   3:0 type   4 S   6:5 DPL   7 P   12 AVL   13 L   14 D/B   15 G   16 unusable
 * </pre>
 *
 * That is the format of VMX ("Guest Register State" of SDM vol. 3). Limits are in bytes, granularity already applied.
 */
public final class Segments {
    public static final int ES = 0;
    public static final int CS = 1;
    public static final int SS = 2;
    public static final int DS = 3;
    public static final int FS = 4;
    public static final int GS = 5;
    public static final int LDTR = 6;
    public static final int TR = 7;

    /** Code or data, not system. */
    public static final int S = 1 << 4;
    public static final int PRESENT = 1 << 7;
    /** 64-bit code. */
    public static final int L = 1 << 13;
    /** Default operation size of code; size of the stack pointer; upper bound of expand-down data. */
    public static final int DB = 1 << 14;
    public static final int UNUSABLE = 1 << 16;

    public final int[] selector = new int[8];
    public final long[] base = new long[8];
    /** Unsigned, 0 to 2^32 − 1. */
    public final long[] limit = new long[8];
    public final int[] rights = new int[8];
    public long gdtBase;
    public int gdtLimit;
    public long idtBase;
    public int idtLimit;

    /** Sets all of register {@code segment}. */
    public void set(int segment, int newSelector, long newBase, long newLimit, int newRights) {
        selector[segment] = newSelector;
        base[segment] = newBase;
        limit[segment] = newLimit;
        rights[segment] = newRights;
    }

    /** Descriptor privilege level in the rights of {@code segment}. */
    public int dpl(int segment) {
        return rights[segment] >>> 5 & 3;
    }
}
