package org.example.flattened;

import org.penumbra.api.paging.EntryFormat;
import org.penumbra.api.paging.StageWalker;

/**
 * The hardware: a table of two levels, each of which takes the place of two levels of a radix table.
 *
 * <pre>
 *  gpa  47:30  entry of the upper table     29:12  entry of a lower table     11:0  offset
 *
 *  upper entry:  bit 0      there is a lower table          lower entry:  bits 2:0    R, W, X; all 0: not present
 *                bits 51:21 its hpa, 2 MiB aligned                        bits 5:3    memory type
 *                                                                         bits 51:12  hpa of the page
 * </pre>
 */
final class FlatWalker implements StageWalker {
    /** Address bits that one level translates: 262,144 entries of 8 bytes are 2 MiB. */
    static final int INDEX_BITS = 18;
    static final int UPPER_SHIFT = 12 + INDEX_BITS;
    static final long TABLE = 1;
    static final long FRAME = 0x000f_ffff_ffff_f000L;
    static final long RIGHTS = READ | WRITE | EXECUTE;
    private static final long TYPE = 7 << 3;
    private static final EntryFormat FORMAT = new Format();

    static long index(long gpa, int shift) {
        return gpa >>> shift & (1L << INDEX_BITS) - 1;
    }

    @Override
    public EntryFormat format() {
        return FORMAT;
    }

    @Override
    public void walk(long register, long gpa, Walk walk) {
        if (gpa >>> UPPER_SHIFT + INDEX_BITS != 0) {
            return;
        }
        long upper = walk.load(2, register + 8 * index(gpa, UPPER_SHIFT));
        if ((upper & TABLE) == 0) {
            return;
        }
        long lower = walk.load(1, (upper & FRAME) + 8 * index(gpa, 12));
        if ((lower & RIGHTS) != 0) {
            walk.found(lower & FRAME, 12, lower & (RIGHTS | TYPE));
        }
    }

    private static final class Format implements EntryFormat {
        @Override
        public String name() {
            return "flattened";
        }

        @Override
        public String entryName(int level) {
            return level == 2 ? "L4L3 entry" : "L2L1 entry";
        }

        @Override
        public String decode(int level, long entry) {
            if (level == 2) {
                return (entry & TABLE) == 0 ? "no table" : String.format("table at 0x%x", entry & FRAME);
            }
            return (entry & RIGHTS) == 0 ? "not present" : String.format("4 KiB page at 0x%x,%s%s%s", entry & FRAME,
                    (entry & READ) != 0 ? " R" : "", (entry & WRITE) != 0 ? " W" : "", (entry & EXECUTE) != 0 ? " X" : "");
        }
    }
}
