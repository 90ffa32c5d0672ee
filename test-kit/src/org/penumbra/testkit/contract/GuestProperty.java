package org.penumbra.testkit.contract;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Function;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.observe.TranslationChecker;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.testkit.contract.Subject.Bench;
import org.penumbra.testkit.contract.Subject.Setup;
import org.penumbra.testkit.nested.NestedGuest;
import org.penumbra.testkit.script.ScriptEngineFactory;

/**
 * Random guests under the deterministic scheduler, in every paging mode, on one and on several vCPUs, on both sizes of host pages, while
 * something goes on. Whatever it is: each translation is one that the architecture allows, audits find nothing, nobody breaks a law.
 */
final class GuestProperty implements Property {
    private static final int ROUNDS = 300;
    private static final int AUDIT_EVERY = 8;
    private static final int[] VCPUS = {1, 3};

    private final String name;
    private final String description;
    private final Function<GuestRun, List<Disturbance>> disturbances;
    private final int guests;

    /**
     * @param disturbances what goes on beside a run
     */
    GuestProperty(String name, String description, Function<GuestRun, List<Disturbance>> disturbances) {
        this(name, description, disturbances, 1);
    }

    /** @param guests how many such guests share one hypervisor, which has tables for them; 1 of any other */
    GuestProperty(String name, String description, Function<GuestRun, List<Disturbance>> disturbances, int guests) {
        this.guests = guests;
        this.name = name;
        this.description = description;
        this.disturbances = disturbances;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public String description() {
        return description;
    }

    @Override
    public int configurations(Subject subject) {
        return guests > 1 && !subject.nesting().hasTables() ? 0 : 4 * subject.modes().size();
    }

    @Override
    public String meaningless() {
        return "only a guest hypervisor with EPT or nested tables has several guests";
    }

    private Setup setup(Subject subject, long seed) {
        List<PagingMode> modes = subject.modes();
        long rest = Math.floorDiv(seed, (long) modes.size());
        return new Setup(modes.get((int) Math.floorMod(seed, (long) modes.size())),
                NestedGuest.memoryBytes(subject.nesting(), guests, GuestLayout.MEMORY), 1 + (int) (rest >> 1 & 1),
                VCPUS[(int) (rest & 1)], false, true, ScriptEngineFactory.NAME);
    }

    @Override
    public String configuration(Subject subject, long seed) {
        Setup setup = setup(subject, seed);
        return setup.mode().label() + ", vCPUs: " + setup.vcpus() + ", host pages of level " + setup.hostPageLevel();
    }

    @Override
    public String run(Subject subject, long seed) {
        Setup setup = setup(subject, seed);
        RandomGuest guest = new RandomGuest(setup.mode(), setup.vcpus(), seed, subject.nesting(), guests);
        int bits = (int) subject.hardware(setup.mode()).figure("cpu.maxphyaddr");
        Probe probe = new Probe(subject.design());
        try (Bench bench = subject.bench(setup, guest.booted(bits), probe)) {
            GuestRun run = new GuestRun(subject, setup, bench, probe, guest, new SplittableRandom(~seed));
            List<Disturbance> others = disturbances.apply(run);
            try {
                return rounds(run, others);
            } finally {
                others.forEach(Disturbance::close);
            }
        }
    }

    private static String rounds(GuestRun run, List<Disturbance> others) {
        for (int round = 0; round < ROUNDS; round++) {
            run.machine().run(1 + run.random().nextInt(run.chance(8) ? 400 : 40));
            String wrong = wrong(run.machine(), run.guest());
            for (Disturbance d : others) {
                wrong = wrong.isEmpty() ? d.happen() : wrong;
            }
            wrong = wrong.isEmpty() && (!others.isEmpty() || round % AUDIT_EVERY == 0) ? audit(run.machine()) : wrong;
            if (!wrong.isEmpty()) {
                return wrong;
            }
        }
        return others.stream().map(Disturbance::judge).filter(wrong -> !wrong.isEmpty()).findFirst().orElse("");
    }

    private static String wrong(Machine machine, RandomGuest guest) {
        TranslationChecker checker = machine.checker();
        if (checker.wrong() > 0) {
            return checker.complaints().get(0);
        }
        List<String> misconduct = machine.hotSwap().misconduct();
        return misconduct.isEmpty() ? guest.problem() : misconduct.get(0);
    }

    private static String audit(Machine machine) {
        List<String> found = new ArrayList<>();
        machine.hotSwap().audit(found::add);
        return found.isEmpty() ? "" : "audit: " + found.get(0);
    }
}
