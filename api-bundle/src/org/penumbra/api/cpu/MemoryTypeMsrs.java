package org.penumbra.api.cpu;

/**
 * PAT and MTRRs of one logical processor, or of a guest: what they hold, and which values they take (SDM vol. 3, "Memory Type Range Registers
 * (MTRRs)", "Page Attribute Table (PAT)"). At first they are as firmware leaves them for RAM: the PAT of power-up, MTRRs enabled, write-back
 * by default. There are variable ranges and no fixed ones. One thread.
 *
 * <pre>
 *  IA32_MTRR_DEF_TYPE   7:0 default type   bit 10 fixed ranges enabled (reserved here)   bit 11 MTRRs enabled
 *  IA32_MTRR_PHYSBASEn  7:0 type   M−1:12 base
 *  IA32_MTRR_PHYSMASKn  bit 11 valid   M−1:12 mask: an address is in the range if it agrees with the base under the mask
 *  IA32_PAT             entry n in bits 8n+2:8n
 * </pre>
 */
public final class MemoryTypeMsrs {
    /** How many variable ranges there are. */
    public static final int RANGES = 8;
    /** MTRRs enabled, in IA32_MTRR_DEF_TYPE. */
    public static final long ENABLED = 1L << 11;
    /** The range counts, in IA32_MTRR_PHYSMASKn. */
    public static final long VALID = 1L << 11;
    /** IA32_MTRRCAP: the number of ranges, and bit 10 for the type WC. */
    private static final long CAPABILITIES = RANGES | 1L << 10;
    private static final long WRITE_BACK = 6;

    /** IA32_MTRR_PHYSBASEn. */
    public final long[] base = new long[RANGES];
    /** IA32_MTRR_PHYSMASKn. */
    public final long[] mask = new long[RANGES];
    /** IA32_MTRR_DEF_TYPE. */
    public long defaultType = ENABLED | WRITE_BACK;
    /** IA32_PAT. */
    public long pat = 0x0007_0406_0007_0406L;

    /** True if {@code msr} is one of the registers that this keeps. */
    public static boolean has(int msr) {
        return msr == Msr.IA32_PAT || msr == Msr.IA32_MTRR_DEF_TYPE || msr == Msr.IA32_MTRRCAP || isRange(msr);
    }

    private static boolean isRange(int msr) {
        return msr >= Msr.IA32_MTRR_PHYSBASE0 && msr < Msr.IA32_MTRR_PHYSBASE0 + 2 * RANGES;
    }

    /** The value of {@code msr}, one that {@link #has} has. */
    public long read(int msr) {
        if (isRange(msr)) {
            return (msr & 1) == 0 ? base[msr - Msr.IA32_MTRR_PHYSBASE0 >> 1] : mask[msr - Msr.IA32_MTRR_PHYSBASE0 >> 1];
        }
        return msr == Msr.IA32_PAT ? pat : msr == Msr.IA32_MTRR_DEF_TYPE ? defaultType : CAPABILITIES;
    }

    /**
     * Writes {@code value} to {@code msr}, one that {@link #has} has; false for #GP, with nothing changed.
     *
     * @param m MAXPHYADDR
     */
    public boolean write(int msr, long value, int m) {
        if (isRange(msr)) {
            int n = msr - Msr.IA32_MTRR_PHYSBASE0 >> 1;
            boolean isBase = (msr & 1) == 0;
            long addressBits = (1L << m) - 1 & -4096L;
            if ((value & ~(addressBits | (isBase ? 0xff : VALID))) != 0 || isBase && !isType((int) value & 0xff, false)) {
                return false;
            }
            (isBase ? base : mask)[n] = value;
            return true;
        }
        if (msr == Msr.IA32_MTRR_DEF_TYPE && (value & ~(ENABLED | 0xff)) == 0 && isType((int) value & 0xff, false)) {
            defaultType = value;
            return true;
        }
        if (msr == Msr.IA32_PAT) {
            for (int i = 0; i < 64; i += 8) {
                if (!isType((int) (value >>> i) & 0xff, true)) {
                    return false;
                }
            }
            pat = value;
            return true;
        }
        return false;
    }

    private static boolean isType(int encoding, boolean inPat) {
        return encoding == 0 || encoding == 1 || encoding >= 4 && encoding <= (inPat ? 7 : 6);
    }
}
