package org.penumbra.experiments.run;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SuggestionsTest {
    private static final List<String> KNOWN = List.of("native", "ept", "ept-2m", "shadow", "shadow.flooding-detection");

    @ParameterizedTest(name = "{0} is likely to mean {1}")
    @CsvSource({"shadw, shadow", "SHADOW, shadow", "ept-2M, ept-2m", "etp, ept", "nativ, native",
        "shadow.floding-detecton, shadow.flooding-detection"})
    void nearest(String given, String meant) {
        assertThat(Suggestions.nearest(given, KNOWN)).contains(meant);
    }

    @ParameterizedTest(name = "{0} resembles nothing")
    @CsvSource({"qemu", "x", "nested-paging", "''"})
    void none(String given) {
        assertThat(Suggestions.nearest(given, KNOWN)).isEmpty();
    }

    @Test
    @DisplayName("the line says what, the nearest name, and what is known")
    void line() {
        assertThat(Suggestions.unknown("design", "shadw", List.of("ept", "shadow")))
                .isEqualTo("unknown design 'shadw'; did you mean 'shadow'? known: ept, shadow");
        assertThat(Suggestions.unknown("design", "qemu", List.of("ept", "shadow"))).isEqualTo("unknown design 'qemu'; known: ept, shadow");
        assertThat(Suggestions.unknown("design", "qemu", List.of())).isEqualTo("unknown design 'qemu'; none is installed");
    }
}
