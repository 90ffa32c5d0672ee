package org.penumbra.experiments.run;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BooleanSupplier;
import java.util.function.LongConsumer;
import org.penumbra.api.machine.HotSwap;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.machine.SwapReport;
import org.penumbra.experiments.run.SwapFigures.HostEvents;

/**
 * Drives one machine through a trial of swaps: it stops every so many operations, and at each stop the host works on the guest's
 * pages and the MMU is swapped, as the trial says. The dirty log is harvested at every third stop, so that most swaps find dirty
 * frames which nobody has asked for yet, under each of two designs in turn.
 */
final class SwapDriver {
    private static final int HARVEST_EVERY = 3;
    /** So many violations are kept. */
    private static final int MOST_VIOLATIONS = 10;

    private final Machine machine;
    private final SwapCourse course;
    private final HotSwap hotSwap;
    private final DirtyComparison dirty;
    private final HostDisturbance host;
    private final Set<String> violations = new LinkedHashSet<>();
    private final Set<String> plugins = new LinkedHashSet<>();
    private final List<Long> pauseNanos = new ArrayList<>();
    /** Simulated cycles of each swap. */
    private final List<Long> cycles = new ArrayList<>();
    /** The same by the design that was swapped to. */
    private final Map<String, List<Long>> cyclesTo = new LinkedHashMap<>();
    private long dropped;
    private long rebuilt;
    private long drained;
    private int at;

    /** @throws MachineException if the machine cannot do what the trial needs */
    SwapDriver(Machine machine, Trial trial) {
        this.machine = machine;
        this.course = trial.course();
        this.hotSwap = machine.hotSwap();
        if (hotSwap == null) {
            throw new MachineException("machines of kind '" + trial.design().machineKind() + "' have no MMU that could be swapped");
        }
        dirty = new DirtyComparison(machine);
        course.designs().forEach(d -> cyclesTo.put(d.name(), new ArrayList<>()));
        host = course.hostEvents() ? new HostDisturbance(machine.hostPages(), trial.seed()) : null;
    }

    /** Runs the guest to its end; false if {@code stop} said so before. */
    boolean run(LongConsumer progress, BooleanSupplier stop) {
        long slice = Math.max(course.after(), course.every());
        for (long stops = 1; machine.run(slice); stops++) {
            slice = course.every();
            if (stops % HARVEST_EVERY == 0) {
                dirty.harvest();
            }
            if (host != null) {
                host.disturb(dirty.known());
            }
            if (!course.designs().isEmpty()) {
                swap();
            }
            progress.accept(machine.operations());
            if (stop.getAsBoolean()) {
                return false;
            }
        }
        return true;
    }

    private void swap() {
        audit();
        at = (at + 1) % course.designs().size();
        Design next = course.designs().get(at);
        SwapReport report = hotSwap.swap(next.mmu(), next.changedSettings());
        plugins.add(report.from());
        plugins.add(report.to());
        pauseNanos.add(report.pauseNanos());
        cycles.add(report.cycles());
        cyclesTo.get(next.name()).add(report.cycles());
        dropped += report.droppedFrames();
        drained += report.drained();
        // What the MMU before had allocated by its end is known only now.
        List<SwapReport> reports = hotSwap.reports();
        if (reports.size() > 1) {
            rebuilt += reports.get(reports.size() - 2).rebuiltFrames();
        }
    }

    private void audit() {
        if (machine.checker() != null) {
            hotSwap.audit(this::violation);
        }
    }

    private void violation(String line) {
        if (violations.size() < MOST_VIOLATIONS) {
            violations.add(line);
        }
    }

    /** What was found. The machine has stopped and is not closed yet. */
    SwapFigures figures() {
        audit();
        List<SwapReport> reports = hotSwap.reports();
        if (!reports.isEmpty()) {
            rebuilt += reports.get(reports.size() - 1).rebuiltFrames();
        }
        SwapFigures.Dirty found = dirty.end();
        hotSwap.misconduct().forEach(this::violation);
        Map<String, Long> medians = new LinkedHashMap<>();
        cyclesTo.forEach((design, spent) -> medians.put(design, median(spent)));
        return new SwapFigures(cycles.size(), cycles.stream().mapToLong(c -> c).sum(), median(cycles), medians, dropped, rebuilt, drained, List.copyOf(plugins), found,
                host == null ? HostEvents.NONE : host.events(), List.copyOf(violations));
    }

    private static long median(List<Long> values) {
        List<Long> sorted = values.stream().sorted().toList();
        return sorted.isEmpty() ? 0 : sorted.get((sorted.size() - 1) / 2);
    }

    /** Wall time of each swap, during which the guest stood still. */
    List<Long> pauseNanos() {
        return pauseNanos;
    }
}
