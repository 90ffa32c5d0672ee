package org.penumbra.hardware.type;

import static org.penumbra.api.paging.MemoryType.UC;
import static org.penumbra.api.paging.MemoryType.UC_MINUS;
import static org.penumbra.api.paging.MemoryType.WB;
import static org.penumbra.api.paging.MemoryType.WC;
import static org.penumbra.api.paging.MemoryType.WP;
import static org.penumbra.api.paging.MemoryType.WT;

import org.penumbra.api.cpu.Msr;
import org.penumbra.api.paging.MemoryType;

/**
 * PAT and MTRRs of one logical processor, and the types that follow from them (SDM vol. 3, "Memory Type Range Registers (MTRRs)",
 * "Page Attribute Table (PAT)", "Selecting Memory Types for Pentium III and More Recent Processor Families"). After construction
 * they are as firmware leaves them for RAM: the PAT of power-up, MTRRs enabled, write-back by default. There are variable ranges and
 * no fixed ones. One thread.
 *
 * <pre>
 *  IA32_MTRR_DEF_TYPE   7:0 default type   bit 10 fixed ranges enabled (reserved here)   bit 11 MTRRs enabled
 *  IA32_MTRR_PHYSBASEn  7:0 type   M−1:12 base
 *  IA32_MTRR_PHYSMASKn  bit 11 valid   M−1:12 mask: an address is in the range if it agrees with the base under the mask
 *  IA32_PAT             entry n in bits 8n+2:8n
 * </pre>
 */
public final class MemoryTypes {
    /** How many variable ranges there are. */
    public static final int RANGES = 8;

    private static final long ENABLED = 1L << 11;
    private static final long VALID = 1L << 11;
    /** IA32_MTRRCAP: the number of ranges, and bit 10 for the type WC. */
    private static final long CAPABILITIES = RANGES | 1L << 10;

    /** Rows: MTRR type UC, WC, WT, WP, WB; columns: PAT type UC, WC, WT, WP, WB, UC−. */
    private static final MemoryType[][] EFFECTIVE = {
        {UC, WC, UC, UC, UC, UC},
        {UC, WC, UC, UC, WC, WC},
        {UC, WC, WT, WP, WT, UC},
        {UC, WC, WT, WP, WP, WC},
        {UC, WC, WT, WP, WB, UC},
    };

    private final long addressBits;
    private final long[] base = new long[RANGES];
    private final long[] mask = new long[RANGES];
    private long defaultType = ENABLED | WB.encoding();
    private long pat = 0x0007_0406_0007_0406L;

    /** @param m MAXPHYADDR */
    public MemoryTypes(int m) {
        addressBits = (1L << m) - 1 & -4096L;
    }

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

    /** Writes {@code value} to {@code msr}, one that {@link #has} has; false for #GP, with nothing changed. */
    public boolean write(int msr, long value) {
        if (isRange(msr)) {
            int n = msr - Msr.IA32_MTRR_PHYSBASE0 >> 1;
            boolean isBase = (msr & 1) == 0;
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

    /** PAT entry {@code index}: 4 · PAT + 2 · PCD + PWT of the entry that maps a page. */
    public MemoryType pat(int index) {
        return MemoryType.of((int) (pat >>> 8 * index) & 7);
    }

    /**
     * The type of the MTRRs for physical address {@code hpa}: UC wherever ranges that overlap say so, WT over WB; what other overlaps
     * mean is undefined, and here the lower number wins (SDM vol. 3, "MTRR Precedences").
     */
    public MemoryType mtrr(long hpa) {
        if ((defaultType & ENABLED) == 0) {
            return UC;
        }
        int found = -1;
        for (int n = 0; n < RANGES; n++) {
            if ((mask[n] & VALID) != 0 && ((hpa ^ base[n]) & mask[n] & addressBits) == 0) {
                int type = (int) base[n] & 0xff;
                found = found < 0 ? type : Math.min(found, type);
            }
        }
        return MemoryType.of(found < 0 ? (int) defaultType & 0xff : found);
    }

    /**
     * The effective type of {@code fromPat} with {@code other}, the type of MTRRs or of EPT in their place (SDM vol. 3, table
     * "Effective Page-Level Memory Types for Pentium III and More Recent Processor Families", and "Memory Type Used for Translated
     * Guest-Physical Addresses").
     */
    public static MemoryType effective(MemoryType other, MemoryType fromPat) {
        if (other == UC_MINUS) {
            throw new IllegalArgumentException("UC- is a type of the PAT only");
        }
        return EFFECTIVE[other.ordinal()][fromPat.ordinal()];
    }
}
