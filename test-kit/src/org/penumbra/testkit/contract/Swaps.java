package org.penumbra.testkit.contract;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.mmu.Mmu;
import org.penumbra.api.mmu.MmuFactory.Setting;
import org.penumbra.api.mmu.MmuHost;

/** The design is replaced by itself, with other settings each time. */
final class Swaps implements Disturbance {
    private final GuestRun run;
    private final int rarity;

    /** @param rarity it happens once in so many times */
    Swaps(GuestRun run, int rarity) {
        this.run = run;
        this.rarity = rarity;
    }

    @Override
    public String happen() {
        if (run.chance(rarity)) {
            Mmu mmu = run.probe().mmu;
            MmuHost host = run.probe().host;
            try {
                run.machine().hotSwap().swap(run.bench().design(), settings());
            } catch (MachineException e) {
                // The design refuses these settings on this processor, and the old one goes on; if not, the next turn shows it.
                List<String> misconduct = run.machine().hotSwap().misconduct();
                if (misconduct.isEmpty()) {
                    run.probe().mmu = mmu;
                    run.probe().host = host;
                }
                return misconduct.stream().findFirst().orElse(run.probe().afterClose);
            }
        }
        return run.probe().afterClose;
    }

    /** The subject's settings, and others by chance from what they can be. */
    private Map<String, String> settings() {
        Map<String, String> chosen = new HashMap<>();
        for (Setting s : run.subject().design().settings()) {
            if (!s.choices().isEmpty() && run.chance(2)) {
                chosen.put(s.key(), s.choices().get(run.random().nextInt(s.choices().size())));
            }
        }
        chosen.putAll(run.subject().settings());
        return chosen;
    }
}
