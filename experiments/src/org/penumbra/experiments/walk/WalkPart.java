package org.penumbra.experiments.walk;

import java.util.List;
import org.penumbra.experiments.walk.WalkStep.Exited;
import org.penumbra.experiments.walk.WalkStep.Reference;
import org.penumbra.experiments.walk.WalkStep.Translated;

/**
 * One access, and what happened.
 *
 * @param kind when and how it was made
 * @param gva where
 * @param gpa what the guest's tables make of it
 * @param steps in order
 * @param countedGuest references to guest tables, or the only ones there are, by the processor's statistics
 * @param countedHost references to the tables of the second dimension, by the same
 * @param cycles simulated cycles of the operation with everything it caused
 */
public record WalkPart(Kind kind, long gva, long gpa, List<WalkStep> steps, long countedGuest, long countedHost, long cycles) {
    /** Which access of a {@link WalkResult}. */
    public enum Kind {
        /** The guest's first access, for which the MMU has nothing yet. */
        FIRST("first"),
        /** The first access to the neighbouring page. */
        FIRST_OF_NEIGHBOUR("first-of-neighbour"),
        /** With nothing cached, on a processor without paging-structure caches and nested TLB. */
        COLD("cold"),
        /** With nothing cached, on the processor as it is. */
        COLD_WITH_CACHES("cold-with-caches"),
        /** The same once more. */
        AGAIN("again"),
        /** The neighbouring page. */
        NEIGHBOUR("neighbour"),
        /** The same guest without a hypervisor: its own tables. */
        GUEST_TABLES("guest-tables");

        private final String label;

        Kind(String label) {
            this.label = label;
        }

        /** Its name in JSON. */
        public String label() {
            return label;
        }
    }

    public WalkPart {
        steps = List.copyOf(steps);
    }

    /** References to guest tables, or the only ones there are, that were told one by one. */
    public long guestReferences() {
        return steps.stream().filter(s -> s instanceof Reference r && !r.nested()).count();
    }

    /** References to tables of the second dimension that were told one by one. */
    public long hostReferences() {
        return steps.stream().filter(s -> s instanceof Reference r && r.nested()).count();
    }

    public long references() {
        return guestReferences() + hostReferences();
    }

    public long exits() {
        return steps.stream().filter(s -> s instanceof Exited).count();
    }

    /** True if what was told one by one is what the processor has counted. */
    public boolean consistent() {
        return guestReferences() == countedGuest && hostReferences() == countedHost;
    }

    /** The translation that was found, or null if it was in the first-level TLB or the access was emulated. */
    public Translated translation() {
        return steps.stream().filter(Translated.class::isInstance).map(Translated.class::cast).findFirst().orElse(null);
    }
}
