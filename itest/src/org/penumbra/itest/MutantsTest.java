package org.penumbra.itest;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.osgi.test.common.annotation.InjectService;
import org.penumbra.api.verify.DesignCheck;
import org.penumbra.api.verify.DesignCheck.Request;
import org.penumbra.api.verify.DesignCheck.Row;

/** Historical bugs stay dead: designs that each have one are found by the properties of the contract, and ours are not. */
class MutantsTest {
    @InjectService(filter = "(check.name=mutants)")
    DesignCheck mutants;

    @InjectService(filter = "(check.name=contract)")
    DesignCheck contract;

    @Test
    @DisplayName("P07 S08 S10 S14 S15 S18 S22 S23 each historical bug passes programs of one vCPU and is found by a property that knows no design, which the designs without it hold to")
    void killed() {
        List<Row> rows = new ArrayList<>();
        mutants.run(new Request("", Map.of(), List.of(), 1, 1), rows::add, () -> false);
        assertThat(rows).hasSize(16).allSatisfy(row -> {
            assertThat(row.good()).as("%s: %s", row.subject(), row.finding()).isTrue();
            assertThat(contract.names()).contains(row.what());
        });
        // The very run that found a mutant is tried with its design by the check itself.
        Map<String, Long> seeds = new TreeMap<>();
        rows.forEach(killed -> seeds.merge(killed.what(), killed.seed(), Math::min));
        for (String design : List.of("shadow", "ept", "npt")) {
            seeds.forEach((property, seed) -> holds(design, property, seed));
        }
    }

    /** The design without bugs holds to {@code property} in every configuration, from {@code seed} on. */
    private void holds(String design, String property, long seed) {
        List<Row> rows = new ArrayList<>();
        contract.run(new Request(design, Map.of(), List.of(property), seed, 1), rows::add, () -> false);
        assertThat(rows).singleElement().satisfies(row -> {
            assertThat(row.good()).as("%s, %s: %s", design, property, row.finding()).isTrue();
            assertThat(row.runs()).isPositive();
        });
    }
}
