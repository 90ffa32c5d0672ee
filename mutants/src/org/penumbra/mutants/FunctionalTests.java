package org.penumbra.mutants;

import java.util.Map;
import java.util.TreeMap;
import org.penumbra.api.cpu.EngineFactory;
import org.penumbra.api.experiment.Workload;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.testkit.contract.Subject;
import org.penumbra.testkit.contract.Subject.Bench;
import org.penumbra.testkit.contract.Subject.Setup;

/**
 * What tests of function see, as a project has them before it looks for races and histories: ordinary programs on one vCPU, in every paging
 * mode and on both sizes of host pages, each translation compared with the specification.
 */
final class FunctionalTests {
    private static final long MEMORY = 256L << 20;
    private static final long OPERATIONS = 80_000;

    private final Map<String, Workload> programs;
    /** Results of production designs, by design and configuration. */
    private final Map<String, Long> expected = new TreeMap<>();

    /** @param programs by name */
    FunctionalTests(Map<String, Workload> programs) {
        this.programs = new TreeMap<>(programs);
    }

    /**
     * In which configuration {@code mutated} fared differently from {@code production}, and how; empty if in none.
     *
     * @param except configurations with this in their names are left out; empty for none
     */
    String apart(Subject production, Subject mutated, String except) {
        for (PagingMode mode : mutated.modes()) {
            for (int hostLevel = 1; hostLevel <= 2; hostLevel++) {
                for (Map.Entry<String, Workload> program : programs.entrySet()) {
                    String configuration = String.format("%s, %s, host pages of level %d", program.getKey(), mode.label(), hostLevel);
                    boolean left = !except.isEmpty() && configuration.contains(except);
                    String wrong = left ? "" : apart(production, mutated, configuration, program.getValue(), mode, hostLevel);
                    if (!wrong.isEmpty()) {
                        return configuration + ": " + wrong;
                    }
                }
            }
        }
        return "";
    }

    private String apart(Subject production, Subject mutated, String configuration, Workload program, PagingMode mode, int hostLevel) {
        Setup setup = new Setup(mode, MEMORY, hostLevel, 1, false, true, EngineFactory.STEPS);
        if (program.prepare(1, mode).refusal(1, MEMORY).isPresent()) {
            return "";
        }
        long right = expected.computeIfAbsent(production.name() + ", " + configuration, key -> result(production, setup, program));
        try {
            return result(mutated, setup, program) == right ? "" : "another result";
        } catch (RuntimeException e) {
            return e.getMessage();
        }
    }

    /** A digest of what the guest has come to. */
    private static long result(Subject subject, Setup setup, Workload program) {
        try (Bench bench = subject.bench(setup, program.prepare(1, setup.mode()))) {
            Machine machine = bench.machine();
            boolean more = true;
            while (more && machine.operations() < OPERATIONS) {
                more = machine.run(OPERATIONS - machine.operations());
            }
            if (machine.checker().wrong() > 0) {
                throw new IllegalStateException(machine.checker().complaints().get(0));
            }
            return machine.guestDigest() ^ 31 * machine.operations();
        }
    }
}
