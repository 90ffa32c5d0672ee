package org.penumbra.experiments.run;

import java.util.Set;

/**
 * How the MMU of a guest is swapped, for experiments whose trials swap.
 *
 * @param every operations that each vCPU retires between two swaps
 * @param after operations that each vCPU retires before the first swap, if that is more than {@code every}
 * @param hostEvents whether the host swaps out, migrates and merges pages of the guest between
 */
public record SwapRequest(long every, long after, boolean hostEvents) {
    /** What is done unless a person says otherwise. */
    public static final SwapRequest DEFAULT = new SwapRequest(20_000, 0, false);
    /** The options by which a person says so, without dashes. */
    static final Set<String> OPTIONS = Set.of("every", "after", "host-events", "histogram");
}
