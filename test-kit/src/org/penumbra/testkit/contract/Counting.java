package org.penumbra.testkit.contract;

import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** Counters under KVM's names: they never fall, and each fault that an MMU is asked about has one outcome at most. */
final class Counting implements Disturbance {
    private static final String TAKEN = "pf_taken";
    private static final List<String> OUTCOMES = List.of("pf_fixed", "pf_spurious", "pf_emulate", "pf_guest", "pf_fast");

    private final GuestRun run;
    private Map<String, Long> before = Map.of();

    Counting(GuestRun run) {
        this.run = run;
    }

    @Override
    public String happen() {
        Map<String, Long> now = run.machine().counters();
        for (String name : now.keySet()) {
            if (name.startsWith("pf_") && now.get(name) < before.getOrDefault(name, 0L)) {
                return String.format("counter %s fell from %d to %d", name, before.get(name), now.get(name));
            }
        }
        before = now;
        return "";
    }

    @Override
    public String judge() {
        Map<String, Long> now = run.machine().counters();
        long taken = now.getOrDefault(TAKEN, 0L);
        long outcomes = OUTCOMES.stream().mapToLong(name -> now.getOrDefault(name, 0L)).sum();
        if (taken == 0 || now.getOrDefault(OUTCOMES.get(0), 0L) == 0) {
            return "a guest ran, and pf_taken or pf_fixed counts nothing";
        }
        return outcomes > taken ? "of " + taken + " faults taken " + outcomes + " outcomes are counted: "
                + OUTCOMES.stream().map(name -> name + " " + now.getOrDefault(name, 0L)).collect(Collectors.joining(", ")) : "";
    }
}
