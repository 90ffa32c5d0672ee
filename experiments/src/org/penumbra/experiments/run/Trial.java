package org.penumbra.experiments.run;

/**
 * One guest run once.
 *
 * @param number from 1, in the order of the plan
 */
public record Trial(int number, SelectedWorkload workload, Design design, long seed) {
    /** "ls under shadow": for messages. */
    public String title() {
        return workload.name() + " under " + design.name();
    }
}
