package org.penumbra.itest;

import java.util.Map;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.experiment.Workload;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MachineFactory;

/** One guest, run to its end on one machine. */
final class Trial {
    private static final long SEED = 1;
    private static final long MEMORY = 256L << 20;

    private Trial() {}

    /** A checked machine with the guest of {@code workload} in it, on 4 KiB host pages. */
    static Machine machine(MachineFactory machines, CostProfile hardware, Workload workload, String design) {
        return machine(machines, hardware, workload, design, 1);
    }

    /** A checked machine with the guest of {@code workload} in it. */
    static Machine machine(MachineFactory machines, CostProfile hardware, Workload workload, String design, int hostLevel) {
        return machines.create(new MachineConfig(MEMORY, hostLevel, hardware, design, Map.of(), true), workload.prepare(SEED));
    }

    /** Runs {@code machine} to its end. */
    static Machine finish(Machine machine) {
        while (machine.run(1_000_000)) {
            // The guest's own end, a MachineException or the build's timeout ends this.
        }
        return machine;
    }
}
