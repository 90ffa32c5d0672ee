package org.penumbra.testkit.contract;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.observe.TranslationChecker;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.testkit.contract.Subject.Bench;
import org.penumbra.testkit.contract.Subject.Setup;
import org.penumbra.testkit.script.ScriptEngineFactory;

/** Random guests under the deterministic scheduler: every translation is compared with the specification. */
class RandomGuests implements Property {
    private static final int ROUNDS = 400;
    private static final int[] VCPUS = {1, 3};

    @Override
    public String name() {
        return "random-guests";
    }

    @Override
    public String description() {
        return "whatever guests of one and of several vCPUs do to their tables, each translation is one that the architecture allows";
    }

    @Override
    public int configurations(Subject subject) {
        return 4 * subject.modes().size();
    }

    private static Setup setup(Subject subject, long seed) {
        List<PagingMode> modes = subject.modes();
        long rest = Math.floorDiv(seed, (long) modes.size());
        return new Setup(modes.get((int) Math.floorMod(seed, (long) modes.size())), GuestLayout.MEMORY, 1 + (int) (rest >> 1 & 1),
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
        RandomGuest guest = new RandomGuest(setup.mode(), setup.vcpus(), seed);
        SplittableRandom random = new SplittableRandom(~seed);
        try (Bench bench = subject.bench(setup, guest)) {
            for (int round = 0; round < ROUNDS; round++) {
                bench.machine().run(1 + random.nextInt(random.nextInt(8) == 0 ? 400 : 40));
                String wrong = wrong(bench.machine(), guest, round % 8 == 0);
                if (!wrong.isEmpty()) {
                    return wrong;
                }
            }
        }
        return "";
    }

    private static String wrong(Machine machine, RandomGuest guest, boolean audit) {
        TranslationChecker checker = machine.checker();
        if (checker.wrong() > 0) {
            return checker.complaints().get(0);
        }
        if (!guest.problem().isEmpty()) {
            return guest.problem();
        }
        if (!machine.hotSwap().misconduct().isEmpty()) {
            return machine.hotSwap().misconduct().get(0);
        }
        List<String> found = new ArrayList<>();
        if (audit) {
            machine.hotSwap().audit(found::add);
        }
        return found.isEmpty() ? "" : "audit: " + found.get(0);
    }
}
