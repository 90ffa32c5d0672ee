package org.penumbra.experiments.run;

import java.util.Arrays;
import java.util.Collection;
import java.util.Locale;
import java.util.Optional;
import org.apache.commons.text.similarity.LevenshteinDistance;

/** What to say when a name is not known. */
public final class Suggestions {
    private Suggestions() {}

    /** "unknown design 'shadw'; did you mean 'shadow'? known: ept, shadow". */
    public static String unknown(String kind, String given, Collection<String> known) {
        if (known.isEmpty()) {
            return "unknown " + kind + " '" + given + "'; none is installed";
        }
        String guess = nearest(given, known).map(n -> "did you mean '" + n + "'? ").orElse("");
        return "unknown " + kind + " '" + given + "'; " + guess + "known: " + String.join(", ", known);
    }

    /** The known name that {@code given} most likely stands for, unless none resembles it. */
    public static Optional<String> nearest(String given, Collection<String> known) {
        String wanted = given.toLowerCase(Locale.ROOT);
        int limit = Math.max(2, given.length() / 3);
        LevenshteinDistance distance = new LevenshteinDistance(limit);
        String best = null;
        int bestScore = Integer.MAX_VALUE;
        for (String name : known) {
            String candidate = name.toLowerCase(Locale.ROOT);
            int d = distance.apply(wanted, candidate);
            // -1: further away than the limit; and a name that is all edits resembles nothing
            if (d >= 0 && d < name.length()) {
                // among equally near names the one that begins alike
                int score = d * 1000 - commonPrefix(wanted, candidate);
                if (score < bestScore) {
                    best = name;
                    bestScore = score;
                }
            }
        }
        return Optional.ofNullable(best);
    }

    private static int commonPrefix(String a, String b) {
        int n = Arrays.mismatch(a.toCharArray(), b.toCharArray());
        return n < 0 ? a.length() : n;
    }
}
