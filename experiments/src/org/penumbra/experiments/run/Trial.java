package org.penumbra.experiments.run;

import org.penumbra.api.cpu.EngineFactory;

/**
 * One guest run once.
 *
 * @param number from 1, in the order of the plan
 * @param design what the guest runs under at first
 * @param vcpus number of vCPUs
 * @param course what happens to the guest while it runs; null for nothing
 */
public record Trial(int number, SelectedWorkload workload, Design design, long seed, int vcpus, SwapCourse course) {
    /** Whether the MMU is swapped while the guest runs. */
    public boolean swapped() {
        return course != null && !course.designs().isEmpty();
    }

    /** What the guest runs under: the name of the design, or the names of those that it is swapped between, with a plus sign. */
    public String designs() {
        return !swapped() ? design.name() : String.join("+", course.designs().stream().map(Design::name).toList());
    }

    /** "ls under shadow", "ls on 4 vCPUs under shadow+ept": for messages. */
    public String title() {
        return guestName() + " under " + designs();
    }

    /** "ls", "ls on 4 vCPUs". */
    public String guestName() {
        return workload.name() + (vcpus == 1 ? "" : " on " + vcpus + " vCPUs");
    }

    /**
     * What equal guests have in common: workload, seed and vCPUs; for machine code the kind of machine too, since it sees that one without a
     * hypervisor has no interrupt controllers.
     */
    String guest() {
        return asked() + (!workload.workload().engine().equals(EngineFactory.STEPS) ? '\n' + design.machineKind() : "");
    }

    /** What trials that differ in nothing but the design have in common. */
    String asked() {
        return workload.name() + '\n' + seed + '\n' + vcpus;
    }
}
