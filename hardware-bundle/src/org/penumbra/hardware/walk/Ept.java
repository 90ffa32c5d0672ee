package org.penumbra.hardware.walk;

import static org.penumbra.hardware.walk.Format.bits;

import java.util.Arrays;
import org.penumbra.hardware.walk.Format.Bits;
import org.penumbra.hardware.walk.Format.Row;

/**
 * EPT entries (SDM vol. 3, "EPT Translation Mechanism" and "EPT Misconfigurations").
 *
 * <pre>
 *  bit  0      R     readable; an entry with bits 2:0 = 0 is not present (nor bit 10, with mode-based execute control)
 *  bit  1      W     writable; W without R is a misconfiguration
 *  bit  2      X     executable; X alone is allowed. With mode-based execute control: for supervisor-mode linear addresses
 *  5:3               memory type of a page: 0, 1, 4, 5, 6 are defined; reserved in an entry that refers to a table
 *  bit  6            ignore PAT (of a page); reserved in a table entry
 *  bit  7            maps a page (levels 2, 3); reserved above
 *  bit  8      A     accessed, while EPTP bit 6 is set
 *  bit  9      D     dirty (of a page), while EPTP bit 6 is set
 *  bit  10     XU    executable for user-mode linear addresses, with mode-based execute control; ignored without
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
    public static final long TYPE = 7L << 3;
    public static final long IPAT = 1L << 6;
    public static final long PAGE = 1L << 7;
    public static final long A = 1L << 8;
    public static final long D = 1L << 9;
    public static final long XU = 1L << 10;
    /** EPTP: accessed and dirty flags are enabled. */
    public static final long EPTP_FLAGS = 1L << 6;

    private static final int WRITE_ONLY = 1 << 2;
    private static final int WRITE_EXECUTE = 1 << 6;
    private static final int TYPES = 1 | 1 << 1 | 1 << 4 | 1 << 5 | 1 << 6;

    private Ept() {}

    /** EPT of {@code levels} (4 or 5) on a processor whose MAXPHYADDR is {@code m}. */
    public static Format format(int m, int levels, boolean modeBasedExecute) {
        long high = bits(51, m);
        long table = high | bits(6, 3);
        Row[] rows = {
            new Row("EPT PTE", 12, 9, true, 0, high),
            new Row("EPT PDE", 21, 9, true, table, high | bits(20, 12)),
            new Row("EPT PDPTE", 30, 9, true, table, high | bits(29, 12)),
            new Row("EPT PML4E", 39, 9, false, table | PAGE, 0),
            new Row("EPT PML5E", 48, 9, false, table | PAGE, 0),
        };
        long rights = R | W | X | (modeBasedExecute ? XU : 0);
        return new Format(levels + "-level EPT", EntryNames.EPT,
                new Bits(8, rights, PAGE, rights | A, 0, D | TYPE | IPAT, A, D, bits(m - 1, 12), WRITE_ONLY | WRITE_EXECUTE, TYPES, 0, 0),
                Arrays.copyOf(rows, levels));
    }
}
