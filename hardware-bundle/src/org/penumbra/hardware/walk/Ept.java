package org.penumbra.hardware.walk;

import static org.penumbra.hardware.walk.Format.bits;

import org.penumbra.hardware.walk.Format.Row;

/**
 * EPT entries (SDM vol. 3, "EPT Translation Mechanism" and "EPT Misconfigurations").
 *
 * <pre>
 *  bit  0      R     readable; an entry with bits 2:0 = 0 is not present
 *  bit  1      W     writable; W without R is a misconfiguration
 *  bit  2      X     executable; X alone is allowed
 *  5:3               memory type of a page: 0, 1, 4, 5, 6 are defined; reserved in an entry that refers to a table
 *  bit  6            ignore PAT (of a page); reserved in a table entry
 *  bit  7            maps a page (levels 2, 3); reserved at level 4
 *  bit  8      A     accessed, while EPTP bit 6 is set
 *  bit  9      D     dirty (of a page), while EPTP bit 6 is set
 *  M−1:12            address of the table or page; of a large page from its own size up, below it reserved
 *  51:M              reserved
 * </pre>
 */
public final class Ept {
    public static final long R = 1;
    public static final long W = 1L << 1;
    public static final long X = 1L << 2;
    /** Memory type write-back, in place. */
    public static final long WB = 6L << 3;
    public static final long PAGE = 1L << 7;
    public static final long A = 1L << 8;
    public static final long D = 1L << 9;
    /** EPTP: accessed and dirty flags are enabled. */
    public static final long EPTP_FLAGS = 1L << 6;

    private static final int WRITE_ONLY = 1 << 2;
    private static final int WRITE_EXECUTE = 1 << 6;
    private static final int TYPES = 1 | 1 << 1 | 1 << 4 | 1 << 5 | 1 << 6;

    private Ept() {}

    /** 4-level EPT on a processor whose MAXPHYADDR is {@code m}. */
    public static Format fourLevel(int m) {
        long high = bits(51, m);
        long table = high | bits(6, 3);
        Row[] rows = {
            new Row(12, 9, true, 0, high),
            new Row(21, 9, true, table, high | bits(20, 12)),
            new Row(30, 9, true, table, high | bits(29, 12)),
            new Row(39, 9, false, table | PAGE, 0),
        };
        return new Format("4-level EPT", R | W | X, PAGE, R | W | X, 0, D, A, D, bits(m - 1, 12), WRITE_ONLY | WRITE_EXECUTE, TYPES, rows);
    }
}
