package org.penumbra.experiments.run;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A guest executes identically under every MMU: it retires the same operations and loads the same values. Guest memory at the
 * end is not compared, since the processor and an MMU in its stead may legally set the accessed and dirty bits of guest tables
 * at different moments.
 */
public final class Agreement {
    private Agreement() {}

    /** One line for each finished trial whose guest went another way than the first one of the same workload and seed. */
    public static List<String> violations(List<TrialResult> results) {
        Map<String, TrialResult> first = new LinkedHashMap<>();
        List<String> violations = new ArrayList<>();
        for (TrialResult r : results) {
            TrialResult f = first.putIfAbsent(r.trial().workload().name() + '\n' + r.trial().seed(), r);
            if (f != null && (f.operations() != r.operations() || f.guestDigest() != r.guestDigest())) {
                violations.add(String.format(
                        "the guest of %s (seed %d) did not run the same under every design: %s under %s, but %s under %s",
                        r.trial().workload().name(), r.trial().seed(), course(r), r.trial().design().name(), course(f),
                        f.trial().design().name()));
            }
        }
        return violations;
    }

    private static String course(TrialResult r) {
        return String.format("%d operations with digest %016x", r.operations(), r.guestDigest());
    }
}
