package org.penumbra.experiments.run;

import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.clock.Work;
import org.penumbra.api.cpu.TranslationStatistics;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.observe.ExitTable;
import org.penumbra.api.observe.TranslationChecker;

/**
 * What one finished trial measured.
 *
 * @param operations retired guest operations
 * @param accesses translations that the guest asked for
 * @param firstLevelMisses misses of the first-level TLB among them
 * @param cycles simulated cycles
 * @param cyclesByWork the same, split by what they were spent on
 * @param counters the machine's counters by name
 * @param mmuFrames host frames that held the MMU's structures at the end
 * @param mmuBundle the bundle that provided the MMU, as "symbolic-name version"; empty without one
 * @param guestDigest depends on every value that the guest loaded
 * @param memoryDigest depends on every byte of guest memory at the end
 * @param check what the checker found; null without {@code --check}
 * @param swaps what the swaps came to; null for a trial that is none of swaps
 * @param replacements of any other trial: each replacement of its design while it ran, by hand or because a bundle went, in words
 */
public record TrialResult(
        Trial trial, long operations, long accesses, long firstLevelMisses, TranslationStatistics translation,
        List<ExitTable.Row> exits, long cycles, Map<Work, Long> cyclesByWork, Map<String, Long> counters, long mmuFrames,
        String mmuBundle, long guestDigest, long memoryDigest, Check check, SwapFigures swaps,
        List<String> replacements) {

    /** What a checked run found; {@code complaints} are its first few wrong translations. */
    public record Check(long compared, long current, long stale, long wrong, List<String> complaints) {
        public Check {
            complaints = List.copyOf(complaints);
        }
    }

    public TrialResult {
        exits = List.copyOf(exits);
        replacements = List.copyOf(replacements);
        cyclesByWork = Collections.unmodifiableMap(new EnumMap<>(cyclesByWork));
        counters = Collections.unmodifiableMap(new TreeMap<>(counters));
    }

    /** Reads everything from a machine that has stopped and is not closed yet. */
    static TrialResult of(Trial trial, Machine machine, SwapFigures swaps) {
        Map<Work, Long> cycles = new EnumMap<>(Work.class);
        CycleClock clock = machine.cycles();
        for (Work w : Work.values()) {
            cycles.put(w, clock.cycles(w));
        }
        TranslationChecker c = machine.checker();
        Check check = c == null ? null : new Check(c.compared(), c.current(), c.stale(), c.wrong(), c.complaints());
        return new TrialResult(trial, machine.operations(), machine.accesses(), machine.misses(),
                machine.translation(), machine.exits().rows(), clock.total(), cycles, machine.counters(),
                machine.mmuFrames(), machine.mmuBundle(), machine.guestDigest(), machine.memoryDigest(), check,
                swaps, swaps == null ? replacements(machine) : List.of());
    }

    private static List<String> replacements(Machine machine) {
        return machine.hotSwap() == null ? List.of() : machine.hotSwap().reports().stream()
                .map(r -> String.format("after %d operations: %s instead of %s, %s", r.guestTime(), name(r.to()), name(r.from()), r.cause()))
                .toList();
    }

    private static String name(String title) {
        return title.isEmpty() ? "no design" : title;
    }

    /** Number of exits. */
    public long exitCount() {
        return exits.stream().mapToLong(ExitTable.Row::samples).sum();
    }
}
