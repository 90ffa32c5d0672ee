package org.penumbra.experiments.run;

import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.paging.PagingMode;

/** Paging modes as a person names them. */
public final class PagingModes {
    private static final String LINEAR_ADDRESS_BITS = "cpu.linear-address-bits";

    private PagingModes() {}

    /** The name of each mode. */
    public static List<String> labels() {
        return Stream.of(PagingMode.values()).map(PagingMode::label).toList();
    }

    /**
     * The mode with this name, in any case.
     *
     * @param option by which it was chosen, for messages
     * @throws RefusedException if there is none
     */
    public static PagingMode named(String option, String label) {
        return Stream.of(PagingMode.values()).filter(m -> m.label().equals(label.toLowerCase(Locale.ROOT))).findFirst()
                .orElseThrow(() -> new RefusedException(option + ": " + Suggestions.unknown("paging mode", label, labels())));
    }

    /**
     * A guest that turns 5-level paging on needs a processor that has it: CR4.LA57 is of those whose linear addresses have 57 bits.
     *
     * @param known the models to choose another from
     * @throws RefusedException if {@code hardware} has it not
     */
    public static void require(String option, PagingMode mode, CostProfile hardware, List<? extends CostProfile> known) {
        if (mode == PagingMode.FIVE_LEVEL && !hasFiveLevels(hardware)) {
            List<String> able = known.stream().filter(PagingModes::hasFiveLevels).map(CostProfile::name).toList();
            throw new RefusedException(option + " " + mode.label() + ": processor '" + hardware.name()
                    + "' has no 5-level paging; choose --hardware " + (able.isEmpty() ? "FILE.json of one that has" : String.join(" or ", able)));
        }
    }

    /** Whether linear addresses of 57 bits can be translated. */
    public static boolean hasFiveLevels(CostProfile hardware) {
        return hardware.figure(LINEAR_ADDRESS_BITS) >= PagingMode.FIVE_LEVEL.linearBits();
    }
}
