package org.penumbra.testkit.contract;

import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;

/** Runs properties against a subject. Stateless; any thread. */
public final class ContractKit {
    private final List<Property> properties;

    /** A kit of all properties. */
    public ContractKit() {
        this(Properties.all());
    }

    /** A kit of {@code properties}. */
    public ContractKit(List<Property> properties) {
        this.properties = List.copyOf(properties);
    }

    public List<Property> properties() {
        return properties;
    }

    /** The runs that {@link #run} makes if none fails. */
    public int planned(Subject subject, int effort) {
        return properties.stream().mapToInt(p -> p.configurations(subject) * effort).sum();
    }

    /**
     * Runs each property {@code effort} times in each configuration, with successive seeds from {@code seed} on, until it fails.
     *
     * @param progress called after each run
     * @param stop asked before each run
     * @return a result for each property, in their order; of those that were run
     */
    public List<PropertyResult> run(Subject subject, long seed, int effort, Runnable progress, BooleanSupplier stop) {
        List<PropertyResult> results = new ArrayList<>();
        for (Property p : properties) {
            if (stop.getAsBoolean()) {
                break;
            }
            results.add(run(p, subject, seed, p.configurations(subject) * effort, progress, stop));
        }
        return results;
    }

    /** Runs {@code property} with at most {@code runs} successive seeds from {@code seed} on, until it fails. */
    public static PropertyResult run(Property property, Subject subject, long seed, int runs, Runnable progress, BooleanSupplier stop) {
        for (int i = 0; i < runs; i++) {
            if (stop.getAsBoolean()) {
                return new PropertyResult(property.name(), i, 0, "", "");
            }
            String reason = reason(property, subject, seed + i);
            progress.run();
            if (!reason.isEmpty()) {
                return new PropertyResult(property.name(), i + 1, seed + i, property.configuration(subject, seed + i), reason);
            }
        }
        return new PropertyResult(property.name(), runs, 0, "", "");
    }

    /** What a run with {@code seed} finds wrong, empty if nothing. */
    private static String reason(Property property, Subject subject, long seed) {
        try {
            return property.run(subject, seed);
        } catch (RuntimeException e) {
            // A machine that cannot go on says why in one line.
            return e.getMessage() == null ? e.toString() : e.getMessage().lines().findFirst().orElse("");
        }
    }
}
