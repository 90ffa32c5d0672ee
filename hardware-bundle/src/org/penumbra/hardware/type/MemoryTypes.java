package org.penumbra.hardware.type;

import static org.penumbra.api.paging.MemoryType.UC;
import static org.penumbra.api.paging.MemoryType.UC_MINUS;
import static org.penumbra.api.paging.MemoryType.WB;
import static org.penumbra.api.paging.MemoryType.WC;
import static org.penumbra.api.paging.MemoryType.WP;
import static org.penumbra.api.paging.MemoryType.WT;

import org.penumbra.api.cpu.MemoryTypeMsrs;
import org.penumbra.api.paging.MemoryType;

/**
 * The types that follow from PAT and MTRRs of one logical processor (SDM vol. 3, "Memory Type Range Registers (MTRRs)", "Page Attribute Table
 * (PAT)", "Selecting Memory Types for Pentium III and More Recent Processor Families"). One thread.
 */
public final class MemoryTypes {
    /** Rows: MTRR type UC, WC, WT, WP, WB; columns: PAT type UC, WC, WT, WP, WB, UC−. */
    private static final MemoryType[][] EFFECTIVE = {
        {UC, WC, UC, UC, UC, UC},
        {UC, WC, UC, UC, WC, WC},
        {UC, WC, WT, WP, WT, UC},
        {UC, WC, WT, WP, WP, WC},
        {UC, WC, WT, WP, WB, UC},
    };

    private final int physicalBits;
    private final long addressBits;
    private final MemoryTypeMsrs registers = new MemoryTypeMsrs();

    /** @param m MAXPHYADDR */
    public MemoryTypes(int m) {
        physicalBits = m;
        addressBits = (1L << m) - 1 & -4096L;
    }

    /** The value of {@code msr}, one of PAT and MTRRs. */
    public long read(int msr) {
        return registers.read(msr);
    }

    /** Writes {@code value} to {@code msr}, one of PAT and MTRRs; false for #GP, with nothing changed. */
    public boolean write(int msr, long value) {
        return registers.write(msr, value, physicalBits);
    }

    /** PAT entry {@code index}: 4 · PAT + 2 · PCD + PWT of the entry that maps a page. */
    public MemoryType pat(int index) {
        return MemoryType.of((int) (registers.pat >>> 8 * index) & 7);
    }

    /**
     * The type of the MTRRs for physical address {@code hpa}: UC wherever ranges that overlap say so, WT over WB; what other overlaps
     * mean is undefined, and here the lower number wins (SDM vol. 3, "MTRR Precedences").
     */
    public MemoryType mtrr(long hpa) {
        if ((registers.defaultType & MemoryTypeMsrs.ENABLED) == 0) {
            return UC;
        }
        int found = -1;
        for (int n = 0; n < MemoryTypeMsrs.RANGES; n++) {
            if ((registers.mask[n] & MemoryTypeMsrs.VALID) != 0 && ((hpa ^ registers.base[n]) & registers.mask[n] & addressBits) == 0) {
                int type = (int) registers.base[n] & 0xff;
                found = found < 0 ? type : Math.min(found, type);
            }
        }
        return MemoryType.of(found < 0 ? (int) registers.defaultType & 0xff : found);
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
