package org.penumbra.shell;

import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.Locale;
import java.util.Optional;
import org.apache.commons.text.similarity.LevenshteinDistance;

/** What to say of a name that nobody has. */
final class Names {
    private Names() {}

    /** "unknown design 'shadw'; did you mean 'shadow'? known: ept, shadow". */
    static UserError unknown(String kind, String given, Collection<String> known) {
        String hint = known.isEmpty() ? "there is none"
                : nearest(given, known).map(n -> "did you mean '" + n + "'? ").orElse("") + "known: " + String.join(", ", known);
        return new UserError("unknown " + kind + " '" + given + "'; " + hint);
    }

    /** The name that {@code given} most likely stands for, unless none resembles it. */
    static Optional<String> nearest(String given, Collection<String> known) {
        String wanted = given.toLowerCase(Locale.ROOT);
        LevenshteinDistance distance = new LevenshteinDistance();
        int limit = Math.max(2, given.length() / 3);
        return known.stream().filter(n -> edits(distance, wanted, n) <= Math.min(limit, n.length() - 1))
                // among equally near names the one that begins alike
                .min(Comparator.<String>comparingInt(n -> edits(distance, wanted, n)).thenComparing(n -> -commonPrefix(wanted, n)));
    }

    private static int commonPrefix(String a, String b) {
        int n = Arrays.mismatch(a.toCharArray(), b.toCharArray());
        return n < 0 ? a.length() : n;
    }

    private static int edits(LevenshteinDistance distance, String wanted, String name) {
        return distance.apply(wanted, name.toLowerCase(Locale.ROOT));
    }
}
