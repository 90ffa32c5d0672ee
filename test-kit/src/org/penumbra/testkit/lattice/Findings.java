package org.penumbra.testkit.lattice;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.penumbra.api.verify.VerificationReport;
import org.penumbra.api.verify.VerificationReport.Disagreement;

/** What has come out so far: counts, and the first disagreements in words. Each vector counts once. */
final class Findings {
    /** So many disagreements are told in full. */
    static final int TOLD = 20;

    private final long vectors;
    private final Map<String, Long> skipped = new TreeMap<>();
    private final List<Disagreement> told = new ArrayList<>();
    private long run;
    private long skips;
    private long wrong;
    private long lastWrong = -1;

    /** @param vectors how many there are */
    Findings(long vectors) {
        this.vectors = vectors;
    }

    void ran() {
        run++;
    }

    void skipped(String reason, long number) {
        skips += number;
        skipped.merge(reason, number, Long::sum);
    }

    /** True if the next disagreement of vector {@code number} is to be told, so that words are made for it only then. */
    boolean tells(long number) {
        return told.size() < TOLD && number != lastWrong;
    }

    /** Vector {@code number} disagrees. {@code situation} and {@code found} are null if nobody wants to know. */
    void wrong(long number, String situation, String found) {
        if (number == lastWrong) {
            return;
        }
        lastWrong = number;
        wrong++;
        if (situation != null) {
            told.add(new Disagreement(number, situation, found));
        }
    }

    long done() {
        return run + skips;
    }

    VerificationReport report() {
        return new VerificationReport(vectors, run, skipped, wrong, told);
    }
}
