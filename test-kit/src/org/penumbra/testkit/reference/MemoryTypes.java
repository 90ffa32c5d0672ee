package org.penumbra.testkit.reference;

import static org.penumbra.api.paging.MemoryType.*;

import org.penumbra.api.paging.MemoryType;

/**
 * How memory types are combined. SDM vol. 3, table "Effective Page-Level Memory Types for Pentium III and More Recent Processor
 * Families", and "Memory Type Used for Translated Guest-Physical Addresses", which puts the EPT memory type in the place of the
 * MTRRs. Caching is enabled: CR0.CD = 0.
 */
public final class MemoryTypes {
    /** IA32_PAT after a reset: "Programming the PAT". */
    public static final long PAT_AT_RESET = 0x0007_0406_0007_0406L;

    private static final MemoryType[] PAT_COLUMNS = {UC, UC_MINUS, WC, WT, WB, WP};
    private static final MemoryType[] MTRR_ROWS = {UC, WC, WT, WB, WP};
    private static final MemoryType[][] EFFECTIVE = {
        // PAT: UC  UC−  WC  WT  WB  WP
        {UC, UC, WC, UC, UC, UC}, // MTRR UC
        {UC, WC, WC, UC, WC, UC}, // WC
        {UC, UC, WC, WT, WT, WP}, // WT
        {UC, UC, WC, WT, WB, WP}, // WB
        {UC, WC, WC, WT, WP, WP}, // WP
    };

    private MemoryTypes() {}

    /**
     * The type that a leaf selects in IA32_PAT ("Selecting a Memory Type from the PAT"): entry PAT·4 + PCD·2 + PWT.
     *
     * @param large the leaf maps more than 4 KiB: its PAT flag is bit 12 and not bit 7
     */
    public static MemoryType pat(long ia32Pat, long leaf, boolean large) {
        int entry = (int) (leaf >>> (large ? 12 : 7) & 1) << 2 | (int) (leaf >>> 3) & 3;
        return MemoryType.of((int) (ia32Pat >>> 8 * entry) & 7);
    }

    /** The effective type of a page whose leaf says {@code pat} in a range whose MTRRs say {@code mtrr}. */
    public static MemoryType effective(MemoryType pat, MemoryType mtrr) {
        return EFFECTIVE[index(MTRR_ROWS, mtrr)][index(PAT_COLUMNS, pat)];
    }

    /**
     * The effective type of an access through EPT. The MTRRs have no part in it.
     *
     * @param pat by the guest's leaf; null while the guest's CR0.PG = 0, which counts as WB
     * @param ept of the EPT leaf
     * @param ignorePat bit 6 of the EPT leaf
     */
    public static MemoryType underEpt(MemoryType pat, MemoryType ept, boolean ignorePat) {
        return ignorePat ? ept : effective(pat == null ? WB : pat, ept);
    }

    private static int index(MemoryType[] types, MemoryType wanted) {
        for (int i = 0; i < types.length; i++) {
            if (types[i] == wanted) {
                return i;
            }
        }
        throw new IllegalArgumentException("memory type " + wanted + " has no place here");
    }
}
