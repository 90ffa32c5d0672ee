package org.example.agile;

import org.penumbra.api.paging.EntryFormat;
import org.penumbra.api.paging.LinearWalker;
import org.penumbra.kit.Rights;

/**
 * The hardware: shadow entries are those of 4- and 5-level paging, with a switching bit. Where it is set the entry leads to the guest's own
 * table, whose host frame it names, and the walk goes on nested.
 *
 * <pre>
 *  bit  0      P    present
 *  bit  1      R/W  of a page: writable. Of a switching entry: the processor may set A and D in the guest's table
 *  bit  2      U/S  of a page and of a switching entry, as in the guest's entries so far
 *  bit  8      G    of a page, as in the guest's entry for it
 *  bit  9      switching
 *  bit  10          of a switching entry: R/W of the guest's entries so far
 *  bits 51:12       frame of the next shadow table, of the page, or of the guest's table
 *  bit  63     XD   as U/S
 * </pre>
 */
final class SwitchingWalker implements LinearWalker {
    static final long PRESENT = 1;
    static final long WRITABLE = 1 << 1;
    static final long SWITCHING = 1 << 9;
    private static final long PATH_WRITABLE = 1 << 10;
    private static final long ADDRESS = 0x000f_ffff_ffff_f000L;
    private static final EntryFormat FORMAT = new Format();

    static long address(long entry) {
        return entry & ADDRESS;
    }

    static boolean present(long entry) {
        return (entry & PRESENT) != 0;
    }

    static boolean switching(long entry) {
        return (entry & SWITCHING) != 0;
    }

    static long table(long hpa) {
        return hpa | PRESENT;
    }

    /** A page with {@link Rights}, which the guest's entry {@code gpte} maps. */
    static long page(long pfn, int rights, long gpte) {
        return pfn << 12 | PRESENT | gpte & GLOBAL | userAndExecute(rights) | ((rights & Rights.WRITE) != 0 ? WRITABLE : 0);
    }

    /** The guest's table in {@code pfn}, to which the guest's entries grant {@link Rights}. */
    static long switchTo(long pfn, int rights, boolean flags) {
        return pfn << 12 | PRESENT | SWITCHING | userAndExecute(rights) | ((rights & Rights.WRITE) != 0 ? PATH_WRITABLE : 0)
                | (flags ? WRITABLE : 0);
    }

    private static long userAndExecute(int rights) {
        return ((rights & Rights.USER) != 0 ? USER : 0) | ((rights & Rights.EXEC) != 0 ? 0 : EXECUTE_DISABLE);
    }

    @Override
    public EntryFormat format() {
        return FORMAT;
    }

    @Override
    public void read(int level, long entry, Meaning meaning) {
        if (!present(entry)) {
            return;
        }
        long rights = entry & (USER | EXECUTE_DISABLE);
        if (switching(entry)) {
            meaning.guestTable(address(entry), rights | ((entry & PATH_WRITABLE) != 0 ? WRITE : 0), (entry & WRITABLE) != 0);
        } else if (level == 1) {
            meaning.page(address(entry), rights | entry & (WRITE | GLOBAL));
        } else {
            meaning.table(address(entry));
        }
    }

    private static final class Format implements EntryFormat {
        @Override
        public String name() {
            return "shadow with switching bit";
        }

        @Override
        public String entryName(int level) {
            return "shadow L" + level + " entry";
        }

        @Override
        public String decode(int level, long entry) {
            if (!present(entry)) {
                return "not present";
            }
            String to = switching(entry) ? "switch to the guest's table" : level == 1 ? "4 KiB page" : "table";
            return String.format("%s at 0x%x%s%s%s", to, address(entry), (entry & WRITABLE) != 0 ? " W" : "", (entry & USER) != 0 ? " U" : "",
                    (entry & EXECUTE_DISABLE) != 0 ? " XD" : "");
        }
    }
}
