package org.penumbra.experiments.run;

import java.util.List;

/**
 * What happens to a guest in a trial of swaps. Its dirty log is on, and it stops every so many operations.
 *
 * @param every operations that each vCPU retires between two stops
 * @param after operations that each vCPU retires before the first swap
 * @param designs what it is swapped between, the first being the one that it starts with; empty for a guest that is left alone, with
 *     which the others are compared
 * @param hostEvents whether the host works on the guest's pages at each stop
 */
public record SwapCourse(long every, long after, List<Design> designs, boolean hostEvents) {
    public SwapCourse {
        designs = List.copyOf(designs);
    }

    /** The same for a guest that is left alone. */
    SwapCourse undisturbed() {
        return new SwapCourse(every, after, List.of(), false);
    }
}
