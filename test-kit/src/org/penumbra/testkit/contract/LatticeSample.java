package org.penumbra.testkit.contract;

import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.verify.VectorSelection;
import org.penumbra.api.verify.Verification;
import org.penumbra.api.verify.VerificationGuest;
import org.penumbra.api.verify.VerificationReport;
import org.penumbra.api.verify.VerificationReport.Disagreement;
import org.penumbra.testkit.contract.Subject.Bench;
import org.penumbra.testkit.contract.Subject.Setup;
import org.penumbra.testkit.lattice.AccessLattice;

/** A sample of the access lattice: rights, error codes, accessed and dirty flags. */
final class LatticeSample implements Property {
    private static final int VECTORS = 4_000;
    private static final int BATCH = 1_000_000;

    private final Verification lattice = new AccessLattice();

    @Override
    public String name() {
        return "access-lattice";
    }

    @Override
    public String description() {
        return "rights, error codes, accessed and dirty flags are as specified, in a sample of all combinations of entry and control bits";
    }

    @Override
    public int configurations(Subject subject) {
        return 2 * subject.modes().size();
    }

    @Override
    public String configuration(Subject subject, long seed) {
        return mode(subject, seed).label() + ", host pages of level " + hostLevel(subject, seed);
    }

    private static PagingMode mode(Subject subject, long seed) {
        return subject.modes().get((int) Math.floorMod(seed, (long) subject.modes().size()));
    }

    private static int hostLevel(Subject subject, long seed) {
        return 1 + (int) (Math.floorDiv(seed, (long) subject.modes().size()) & 1);
    }

    @Override
    public String run(Subject subject, long seed) {
        PagingMode mode = mode(subject, seed);
        int bits = (int) subject.hardware(mode).figure("cpu.maxphyaddr");
        VerificationGuest guest =
                lattice.guest(VectorSelection.all(mode, bits).under(subject.design()::objection).under(subject.nesting()).sampled(VECTORS, seed));
        Setup setup = new Setup(mode, guest.memoryBytes(), hostLevel(subject, seed), 1, false, false, guest.engine());
        try (Bench bench = subject.bench(setup, guest)) {
            while (bench.machine().run(BATCH)) {
                // To its end.
            }
        }
        VerificationReport report = guest.report();
        if (report.disagreements() == 0) {
            return report.run() > 0 ? "" : "no vector could be run: " + report.skipped();
        }
        Disagreement first = report.details().get(0);
        return "vector " + first.vector() + ": " + first.situation() + ": " + first.found();
    }
}
