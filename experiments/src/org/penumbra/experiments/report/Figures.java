package org.penumbra.experiments.report;

import java.util.Locale;

/** Numbers as people read them; the same in every locale. */
public final class Figures {
    /** Stands for a figure that there is none of. */
    public static final String NONE = "-";

    private Figures() {}

    /** "1,234,567". */
    public static String count(long n) {
        return String.format(Locale.ROOT, "%,d", n);
    }

    /** "1,234.50". */
    public static String decimal(double x) {
        return String.format(Locale.ROOT, "%,.2f", x);
    }

    /** "1.234x". */
    public static String ratio(double x) {
        return String.format(Locale.ROOT, "%.3fx", x);
    }

    /** "12.34%". */
    public static String percent(double part, double whole) {
        return whole == 0 ? NONE : String.format(Locale.ROOT, "%.2f%%", 100 * part / whole);
    }

    /** "256 MiB": exact, in the largest unit that divides {@code bytes}. */
    public static String bytes(long bytes) {
        String[] units = {"bytes", "KiB", "MiB", "GiB", "TiB"};
        int u = 0;
        while (u < units.length - 1 && bytes != 0 && bytes % 1024 == 0) {
            bytes /= 1024;
            u++;
        }
        return bytes + " " + units[u];
    }
}
