package org.penumbra.experiments.run;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.penumbra.experiments.run.SwapFigures.Dirty;

/**
 * A guest executes identically under every MMU: it retires the same operations and loads the same values. Guest memory at the
 * end is compared only where an MMU is swapped, since the processor and an MMU in its stead may legally set the accessed and dirty
 * bits of guest tables at different moments.
 */
public final class Agreement {
    private Agreement() {}

    /** One line for each finished trial whose guest went another way than the first one of the same guest, or lost something. */
    public static List<String> violations(List<TrialResult> results) {
        Map<String, TrialResult> first = new LinkedHashMap<>();
        List<String> violations = new ArrayList<>();
        for (TrialResult r : results) {
            TrialResult f = first.putIfAbsent(r.trial().guest(), r);
            if (f != null && (f.operations() != r.operations() || f.guestDigest() != r.guestDigest())) {
                violations.add(String.format(
                        "the guest of %s (seed %d) did not run the same under every design: %s under %s, but %s under %s",
                        r.trial().guestName(), r.trial().seed(), course(r), r.trial().designs(), course(f), f.trial().designs()));
            }
            if (f != null && r.swaps() != null && f.memoryDigest() != r.memoryDigest()) {
                violations.add(String.format("the guest of %s (seed %d) left another memory behind under %s than under %s",
                        r.trial().guestName(), r.trial().seed(), r.trial().designs(), f.trial().designs()));
            }
            if (r.swaps() != null) {
                addOwn(r, violations);
            }
        }
        return violations;
    }

    private static void addOwn(TrialResult r, List<String> violations) {
        Dirty dirty = r.swaps().dirty();
        if (dirty.missed() > 0) {
            violations.add(r.trial().title() + ": the dirty log missed " + dirty.missed() + " of " + dirty.recorded() + " written frames");
        }
        r.swaps().violations().forEach(v -> violations.add(r.trial().title() + ": " + v));
    }

    private static String course(TrialResult r) {
        return String.format("%d operations with digest %016x", r.operations(), r.guestDigest());
    }
}
