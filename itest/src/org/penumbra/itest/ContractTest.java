package org.penumbra.itest;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.osgi.test.common.annotation.InjectService;
import org.penumbra.api.verify.DesignCheck;
import org.penumbra.api.verify.DesignCheck.Request;
import org.penumbra.api.verify.DesignCheck.Row;

/**
 * Host events, changes of slots, page limit, harvests and swaps at random moments while several vCPUs run. How often each configuration is
 * tried is set by the environment variable PENUMBRA_CONTRACT_EFFORT.
 */
class ContractTest {
    private static final int EFFORT = Integer.parseInt(System.getenv().getOrDefault("PENUMBRA_CONTRACT_EFFORT", "1"));

    @InjectService(filter = "(check.name=contract)")
    DesignCheck contract;

    @ParameterizedTest(name = "{0}")
    @ValueSource(strings = {"everything", "threads"})
    @DisplayName("H03 S14 S16 S18 S19 S22 whatever the host does at random moments, by turns and with a thread per vCPU: every access allowed, audits clean, no write missing in the dirty log")
    void anyMoment(String property) {
        for (String design : List.of("shadow", "ept")) {
            List<Row> rows = new ArrayList<>();
            contract.run(new Request(design, Map.of(), List.of(property), 1, EFFORT), rows::add, () -> false);
            assertThat(rows).singleElement().satisfies(row -> {
                assertThat(row.good()).as("%s, seed %d: %s", design, row.seed(), row.finding()).isTrue();
                assertThat(row.runs()).isPositive();
            });
        }
    }
}
