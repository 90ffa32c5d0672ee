package org.penumbra.hardware.walk;

import static org.penumbra.hardware.walk.Format.bits;

import org.penumbra.hardware.walk.Format.Row;

/**
 * Entries of 4-level paging (SDM vol. 3, "4-Level Paging and 5-Level Paging").
 *
 * <pre>
 *  bit  0      P     present
 *  bit  1      R/W   writable
 *  bit  2      U/S   user-mode address
 *  bit  5      A     accessed
 *  bit  6      D     dirty (of a page)
 *  bit  7      PS    maps a page (levels 2, 3); reserved at level 4; PAT at level 1
 *  bit  8      G     global (of a page)
 *  bit  12     PAT   of a large page
 *  M−1:12            address of the table or page; of a large page from its own size up, below it reserved
 *  51:M              reserved
 *  62:59             protection key (of a page)
 *  bit 63      XD    execute-disable; reserved while EFER.NXE = 0
 * </pre>
 */
public final class Ia32e {
    public static final long P = 1;
    public static final long RW = 1L << 1;
    public static final long US = 1L << 2;
    public static final long A = 1L << 5;
    public static final long D = 1L << 6;
    public static final long PS = 1L << 7;
    public static final long G = 1L << 8;
    /** Protection key of a page. */
    public static final long KEY = 15L << 59;
    public static final int KEY_SHIFT = 59;
    public static final long XD = 1L << 63;
    /** Linear addresses have this many bits; the rest repeats the highest. */
    public static final int LINEAR_BITS = 48;

    private Ia32e() {}

    /** 4-level paging on a processor whose MAXPHYADDR is {@code m}. */
    public static Format fourLevel(int m) {
        long high = bits(51, m);
        Row[] rows = {
            new Row(12, 9, true, 0, high),
            new Row(21, 9, true, high, high | bits(20, 13)),
            new Row(30, 9, true, high, high | bits(29, 13)),
            new Row(39, 9, false, high | PS, 0),
        };
        return new Format("4-level paging", P, PS, RW | US | XD, XD, D | G | KEY, A, D, bits(m - 1, 12), 0, 0xff, rows);
    }
}
