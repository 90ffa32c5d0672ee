package org.penumbra.itest;

import java.util.Map;
import java.util.TreeMap;
import org.osgi.test.common.service.ServiceAware;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.clock.CostProfiles;
import org.penumbra.api.experiment.Workload;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MachineFactory;
import org.penumbra.api.paging.PagingMode;

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
        return machine(machines, hardware, workload, design, hostLevel, 1);
    }

    /** The same with {@code vcpus} vCPUs. */
    static Machine machine(
            MachineFactory machines, CostProfile hardware, Workload workload, String design, int hostLevel, int vcpus) {
        return machine(machines, hardware, workload, design, hostLevel, vcpus, PagingMode.FOUR_LEVEL);
    }

    /** The same, the guest in paging mode {@code mode}. */
    static Machine machine(MachineFactory machines, CostProfile hardware, Workload workload, String design, int hostLevel, int vcpus,
            PagingMode mode) {
        MachineConfig config = new MachineConfig(MEMORY, hostLevel, hardware, design, Map.of(), true).withVcpus(vcpus, false);
        return machines.create(config, workload.prepare(SEED, mode));
    }

    /** The processor model that the tests use. */
    static CostProfile skylake(CostProfiles profiles) {
        return hardware(profiles, "skylake");
    }

    /** A processor model that has {@code mode}. */
    static CostProfile hardware(CostProfiles profiles, PagingMode mode) {
        return hardware(profiles, mode == PagingMode.FIVE_LEVEL ? "icelake-server" : "skylake");
    }

    /** The processor model {@code name}. */
    static CostProfile hardware(CostProfiles profiles, String name) {
        return profiles.all().stream().filter(p -> p.name().equals(name)).findFirst().orElseThrow();
    }

    /** {@code hardware} as a processor on which no reference of a walk spares the next one. */
    static CostProfile withoutCaches(CostProfiles profiles, CostProfile hardware) {
        Map<String, Long> none = new TreeMap<>();
        for (CostProfile.Figure f : hardware.figures()) {
            if (f.key().matches("(ept-)?paging-structure-cache\\..*\\.entries|nested-tlb\\.entries")) {
                none.put(f.key(), 0L);
            }
        }
        return profiles.with(hardware, none);
    }

    /** The workload named {@code name}. */
    static Workload workload(ServiceAware<Workload> workloads, String name) {
        return workloads.getTracked().entrySet().stream()
                .filter(e -> name.equals(e.getKey().getProperty(Workload.WORKLOAD_NAME)))
                .map(Map.Entry::getValue)
                .findFirst()
                .orElseThrow();
    }

    /** Runs {@code machine} to its end. */
    static Machine finish(Machine machine) {
        while (machine.run(1_000_000)) {
            // The guest's own end, a MachineException or the build's timeout ends this.
        }
        return machine;
    }
}
