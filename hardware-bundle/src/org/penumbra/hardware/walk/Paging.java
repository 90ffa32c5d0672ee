package org.penumbra.hardware.walk;

import static org.penumbra.hardware.walk.Format.bits;

import java.util.Arrays;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.hardware.walk.Format.Bits;
import org.penumbra.hardware.walk.Format.Row;

/**
 * Entries by which linear addresses are translated, in every paging mode (SDM vol. 3, "32-Bit Paging", "PAE Paging", "4-Level Paging
 * and 5-Level Paging"). Nested paging uses the same ones (APM vol. 2, "Nested Paging").
 *
 * <pre>
 *  bit  0      P     present
 *  bit  1      R/W   writable
 *  bit  2      U/S   user-mode address
 *  bit  3      PWT   ⎫
 *  bit  4      PCD   ⎬ memory type, with PAT
 *  bit  5      A     accessed
 *  bit  6      D     dirty (of a page)
 *  bit  7      PS    maps a page (level 2; level 3 of 4- and 5-level paging); reserved above; PAT at level 1. With 32-bit paging
 *                    and CR4.PSE = 0 it is ignored
 *  bit  8      G     global (of a page)
 *  bit  12     PAT   of a large page
 *  M−1:12            address of the table or page; of a large page from its own size up, below it reserved
 *  62:59             protection key (of a page), 4- and 5-level paging
 *  bit 63      XD    execute-disable; reserved while EFER.NXE = 0
 *
 *  reserved          32-bit: of a 4 MiB page bit 21, and of 20:13, which hold address bits 39:32 (PSE-36), those from M up
 *                    PAE: 62:M             4- and 5-level: 51:M
 *  PDPTE of PAE      no R/W, U/S, A, D, PS; 2:1, 8:5 and 63:M reserved; four of them in a table aligned to 32 bytes
 * </pre>
 */
public final class Paging {
    public static final long P = 1;
    public static final long RW = 1L << 1;
    public static final long US = 1L << 2;
    public static final long PWT = 1L << 3;
    public static final long PCD = 1L << 4;
    public static final long A = 1L << 5;
    public static final long D = 1L << 6;
    public static final long PS = 1L << 7;
    public static final long G = 1L << 8;
    public static final int KEY_SHIFT = 59;
    public static final long XD = 1L << 63;
    /** Where {@link Walker#rights} has the PAT bit of a page, whatever its size. */
    public static final long PAT = 1L << 7;

    private static final long KEY = 15L << KEY_SHIFT;
    private static final long PATH = RW | US | A | XD;
    private static final long LEAF = D | G | PWT | PCD;

    private Paging() {}

    /** 4-level paging on a processor whose MAXPHYADDR is {@code m}. */
    public static Format fourLevel(int m) {
        return longMode("4-level paging", m, 4);
    }

    /** 5-level paging. */
    public static Format fiveLevel(int m) {
        return longMode("5-level paging", m, 5);
    }

    private static Format longMode(String name, int m, int levels) {
        long high = bits(51, m);
        Row[] rows = {
            new Row("PTE", 12, 9, true, 0, high),
            new Row("PDE", 21, 9, true, high, high | bits(20, 13)),
            new Row("PDPTE", 30, 9, true, high, high | bits(29, 13)),
            new Row("PML4E", 39, 9, false, high | PS, 0),
            new Row("PML5E", 48, 9, false, high | PS, 0),
        };
        return new Format(name, EntryNames.PAGING, new Bits(8, P, PS, PATH, XD, LEAF | KEY, A, D, bits(m - 1, 12), 0, 0xff, 0, 0),
                Arrays.copyOf(rows, levels));
    }

    /** PAE paging from the page directories down: the PDPTEs are in registers. */
    public static Format pae(int m) {
        return new Format("PAE paging", EntryNames.PAGING, paeBits(m, 0), paeRows(m));
    }

    /** PAE paging whose PDPTEs are read in each walk, as nested paging does it (APM vol. 2, "Nested Table Walk"). */
    public static Format paeWithPdptes(int m) {
        Row[] rows = Arrays.copyOf(paeRows(m), 3);
        rows[2] = new Row("PDPTE", 30, 2, false, bits(2, 1) | bits(8, 5) | bits(63, m), 0);
        return new Format("PAE paging", EntryNames.PAGING, paeBits(m, RW | US | A), rows);
    }

    private static Row[] paeRows(int m) {
        long high = bits(62, m);
        return new Row[] {new Row("PTE", 12, 9, true, 0, high), new Row("PDE", 21, 9, true, high, high | bits(20, 13))};
    }

    private static Bits paeBits(int m, long noRights) {
        return new Bits(8, P, PS, PATH, XD, LEAF, A, D, bits(m - 1, 12), 0, 0xff, 0, noRights);
    }

    /** 32-bit paging; {@code pse}: CR4.PSE = 1. A page of 4 MiB has an address of 40 bits, or of {@code m} if that is less. */
    public static Format twoLevel(int m, boolean pse) {
        int high = Math.min(m, 40);
        return new Format(pse ? "32-bit paging, 4 MiB pages" : "32-bit paging", EntryNames.PAGING,
                new Bits(4, P, PS, PATH, XD, LEAF, A, D, bits(31, 12), 0, 0xff, bits(high - 20, 13), 0),
                new Row("PTE", 12, 10, true, 0, 0), new Row("PDE", 22, 10, pse, 0, bits(21, high - 19)));
    }

    /** The formats by {@link PagingMode}; of 32-bit paging that with 4 MiB pages. Null without paging. */
    public static Format[] byMode(int m) {
        return new Format[] {null, twoLevel(m, true), pae(m), fourLevel(m), fiveLevel(m)};
    }
}
