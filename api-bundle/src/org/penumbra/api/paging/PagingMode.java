package org.penumbra.api.paging;

import static org.penumbra.api.paging.ControlBits.CR0_PG;
import static org.penumbra.api.paging.ControlBits.CR4_LA57;
import static org.penumbra.api.paging.ControlBits.CR4_PAE;
import static org.penumbra.api.paging.ControlBits.EFER_LMA;

/** How linear addresses are translated: SDM vol. 3, "Paging Modes and Control Bits". */
public enum PagingMode {
    /** CR0.PG = 0: a linear address is the physical address. */
    NONE("none", 0, 32, 0),
    /** 32-bit paging: entries of 4 bytes, pages of 4 KiB, and of 4 MiB with CR4.PSE. */
    BITS_32("32bit", 2, 32, 4),
    /** PAE paging: two levels of tables below four PDPTE registers. */
    PAE("pae", 2, 32, 8),
    /** 4-level paging. */
    FOUR_LEVEL("4level", 4, 48, 8),
    /** 5-level paging. */
    FIVE_LEVEL("5level", 5, 57, 8);

    private final String label;
    private final int levels;
    private final int linearBits;
    private final int entryBytes;

    PagingMode(String label, int levels, int linearBits, int entryBytes) {
        this.label = label;
        this.levels = levels;
        this.linearBits = linearBits;
        this.entryBytes = entryBytes;
    }

    /** The mode that these registers select. */
    public static PagingMode of(long cr0, long cr4, long efer) {
        if ((cr0 & CR0_PG) == 0) {
            return NONE;
        }
        if ((cr4 & CR4_PAE) == 0) {
            return BITS_32;
        }
        if ((efer & EFER_LMA) == 0) {
            return PAE;
        }
        return (cr4 & CR4_LA57) == 0 ? FOUR_LEVEL : FIVE_LEVEL;
    }

    /** The name by which a user selects it: "none", "32bit", "pae", "4level", "5level". */
    public String label() {
        return label;
    }

    /** Levels of tables in memory; of PAE paging without the registers above them. */
    public int levels() {
        return levels;
    }

    /** Bits of a linear address that are translated. */
    public int linearBits() {
        return linearBits;
    }

    /** Bytes of a paging-structure entry; 0 without paging. */
    public int entryBytes() {
        return entryBytes;
    }

    /** True in IA-32e mode, where linear addresses have 64 bits and must be canonical. */
    public boolean isLong() {
        return linearBits > 32;
    }

    /** True if {@code gva} is an address in this mode: canonical in IA-32e mode, below 4 GiB otherwise. */
    public boolean holds(long gva) {
        return isLong() ? gva << 64 - linearBits >> 64 - linearBits == gva : gva >>> 32 == 0;
    }
}
