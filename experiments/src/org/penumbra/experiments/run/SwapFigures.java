package org.penumbra.experiments.run;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a trial of swaps found, beside what every trial finds. Of a guest that is left alone, what concerns swaps is 0.
 *
 * @param swaps swaps that were made
 * @param cycles simulated cycles of all of them together
 * @param medianCycles simulated cycles of the one in the middle; of two in the middle the shorter one
 * @param medianCyclesTo the same of the swaps to each design, by its name, in the order in which they follow one another
 * @param droppedFrames frames of structures that MMUs gave up
 * @param rebuiltFrames frames of structures that their successors allocated
 * @param drainedFrames guest frames that only the dirty bits of an MMU which went knew to be dirty
 * @param plugins those that ran the guest, as "name (symbolic-name version)"
 * @param violations what MMUs did against their contract, and invariants of their structures that did not hold, a line each
 */
public record SwapFigures(
        long swaps, long cycles, long medianCycles, Map<String, Long> medianCyclesTo, long droppedFrames, long rebuiltFrames, long drainedFrames, List<String> plugins,
        Dirty dirty, HostEvents hostEvents, List<String> violations) {
    /**
     * The dirty log against the list of the frames that were written, kept beside it.
     *
     * @param frames frames that the log told, over all harvests
     * @param recorded frames that were written, as the checker saw it; 0 on an unchecked run, like the figures that follow
     * @param missed written and not told by the harvest that followed
     * @param extra told and not written since the harvest before
     */
    public record Dirty(long harvests, long frames, long recorded, long missed, long extra) {}

    /**
     * Events that took place; those for which there was nothing to do are not counted.
     *
     * @param young pages that were found to have been used since they were last asked about
     */
    public record HostEvents(long swappedOut, long migrated, long merged, long collapsed, long split, long young) {
        static final HostEvents NONE = new HostEvents(0, 0, 0, 0, 0, 0);
    }

    public SwapFigures {
        medianCyclesTo = Collections.unmodifiableMap(new LinkedHashMap<>(medianCyclesTo));
        plugins = List.copyOf(plugins);
        violations = List.copyOf(violations);
    }
}
