package org.penumbra.api.verify;

import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What came out so far.
 *
 * @param vectors vectors that exist in the mode
 * @param run vectors that were run and compared
 * @param skipped how many were not run, by reason
 * @param disagreements vectors in which machine and specification differ
 * @param details the first of them
 */
public record VerificationReport(
        long vectors, long run, Map<String, Long> skipped, long disagreements, List<Disagreement> details) {
    public VerificationReport {
        skipped = Collections.unmodifiableMap(new TreeMap<>(skipped));
        details = List.copyOf(details);
    }

    /**
     * A vector in which machine and specification differ.
     *
     * @param vector its number
     * @param situation registers, entries and access, in words
     * @param found what the machine did that the specification does not allow, and what that asks for
     */
    public record Disagreement(long vector, String situation, String found) {}
}
