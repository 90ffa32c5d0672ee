package org.penumbra.api.clock;

import java.util.List;
import org.osgi.annotation.versioning.ProviderType;

/** The geometry and the prices of one processor generation: data, each figure with its source. Immutable. */
@ProviderType
public interface CostProfile {
    /** One figure: {@code value} in {@code unit} ("cycles", "entries", "ways" …), and where it was published. */
    record Figure(String key, long value, String unit, String source) {}

    /** Who makes the processor. */
    enum Vendor {
        /** Intel: VMX. */
        INTEL("Intel"),
        /** AMD: SVM. */
        AMD("AMD");

        private final String label;

        Vendor(String label) {
            this.label = label;
        }

        /** As people write it. */
        public String label() {
            return label;
        }
    }

    /** The profile's name, as a user selects it. */
    String name();

    /** One line for people: which processor this stands for. */
    String description();

    /** Who makes the processor that this stands for. */
    Vendor vendor();

    /** When that processor came out. */
    int year();

    /** Every figure, in the order of the file. */
    List<Figure> figures();

    /**
     * The figure {@code key}, in the unit its entry names.
     *
     * @throws IllegalArgumentException if the profile has no such figure; a missing price is never taken as free
     */
    long figure(String key);

    /**
     * True if translations are cached as the figures of TLBs, paging-structure caches and nested TLB say. False if they are cached in
     * whatever way is fastest, by the same rules of invalidation: what TLBs and walks then count and cost says nothing about the processor, and is
     * not to be reported.
     */
    default boolean modelsTlbs() {
        return figure("tlb.model") != 0;
    }
}
