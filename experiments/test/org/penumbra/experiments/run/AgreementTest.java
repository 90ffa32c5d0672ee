package org.penumbra.experiments.run;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class AgreementTest {
    private final FakeContainer container = new FakeContainer();
    private final Requests request = new Requests().workloads("trace:a", "trace:b").designs("native", "shadow", "ept").repetitions(2);

    @Test
    @DisplayName("X12 a guest that runs the same under every design is no matter, whatever other workloads and seeds do")
    void agree() {
        assertThat(Agreement.violations(request.run(container).finished())).isEmpty();
    }

    @Test
    @DisplayName("X12 a guest that loaded other values under a design is reported")
    void digest() {
        container.behaviour("ept").digest++;
        assertThat(Agreement.violations(request.run(container).finished())).hasSize(4).first().asString()
                .matches("the guest of trace:a \\(seed 1\\) did not run the same under every design: "
                        + "2500000 operations with digest \\p{XDigit}{16} under ept, but 2500000 operations with digest \\p{XDigit}{16} under native");
    }

    @Test
    @DisplayName("X12 a guest that retired more operations under a design is reported")
    void operations() {
        container.behaviour("shadow").operations++;
        assertThat(Agreement.violations(request.repetitions(1).run(container).finished())).hasSize(2)
                .allMatch(v -> v.contains("2500001 operations") && v.contains("under shadow, but 2500000 operations"));
    }
}
