package org.penumbra.hardware.walk;

/** The names that people read of the bits of an entry. Immutable. */
final class EntryNames {
    /** One bit: its name if it is set, in entries that map a page only if {@code ofPage}. */
    private record Name(int bit, String name, boolean ofPage) {}

    /** Entries for linear addresses, and of NPT. */
    static final EntryNames PAGING = new EntryNames(new Name[] {
        new Name(1, "W", false), new Name(2, "U", false), new Name(3, "PWT", false), new Name(4, "PCD", false), new Name(5, "A", false),
        new Name(6, "D", true), new Name(8, "G", true), new Name(63, "XD", false),
    }, true);
    /** EPT entries. */
    static final EntryNames EPT = new EntryNames(new Name[] {
        new Name(0, "R", false), new Name(1, "W", false), new Name(2, "X", false), new Name(10, "XU", false),
        new Name(6, "IPAT", true), new Name(8, "A", false), new Name(9, "D", true),
    }, false);

    private static final String[] TYPES = {"UC", "WC", "type 2", "type 3", "WT", "WP", "WB", "type 7"};

    private final Name[] names;
    private final boolean paging;

    private EntryNames(Name[] names, boolean paging) {
        this.names = names;
        this.paging = paging;
    }

    /** ", W U A …": the names of the bits that are set. */
    String of(long entry, boolean page, boolean large) {
        StringBuilder s = new StringBuilder();
        for (Name n : names) {
            if ((entry >>> n.bit & 1) != 0 && (page || !n.ofPage)) {
                s.append(' ').append(n.name);
            }
        }
        if (page && paging) {
            s.append((entry >>> (large ? 12 : 7) & 1) != 0 ? " PAT" : "");
            long key = entry >>> 59 & 15;
            s.append(key == 0 ? "" : " key " + key);
        } else if (page) {
            s.append(' ').append(TYPES[(int) (entry >>> 3) & 7]);
        }
        return s.length() == 0 ? "" : "," + s;
    }

    /** "4 KiB", "2 MiB" …. */
    static String size(int shift) {
        return shift < 20 ? (1 << shift - 10) + " KiB" : shift < 30 ? (1 << shift - 20) + " MiB" : (1 << shift - 30) + " GiB";
    }
}
