package org.penumbra.experiments.trace;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

@DisplayName("X03 trace summary")
class TraceSummaryTest {

    private static TraceSummary summary(String text) throws IOException {
        try (TraceReader reader = TraceReader.open("trace", new ByteArrayInputStream(TraceFiles.ascii(text)))) {
            return TraceSummary.of(reader);
        }
    }

    @Test
    @DisplayName("X03 kinds are counted apart, and sizes too, and an access that crosses a page boundary touches both pages")
    void counts() throws IOException {
        TraceSummary summary = summary("""
                I  00001ffe,4
                I  00001000,4
                 L 00002000,8
                 L 7fffffffff00,256
                 S 00003ff8,8
                 S 00003ff9,8
                 M 00005fff,1
                """);

        assertThat(summary).isEqualTo(new TraceSummary(
                TraceFormat.LACKEY, List.of(), 2, 2, 2, 1, new TreeMap<>(Map.of(1, 1L, 4, 2L, 8, 3L, 256, 1L)), 6, 2, 2, 2));
        assertThat(summary.records()).isEqualTo(7);
    }

    @Test
    @DisplayName("X03 pages that lie far apart are all counted, once each")
    void pages() throws IOException {
        StringBuilder text = new StringBuilder();
        for (int round = 0; round < 2; round++) {
            for (long page = 0; page < 3000; page++) {
                text.append(String.format(" L %08x,8%n", page * 0x3_0000_1000L));
            }
        }

        assertThat(summary(text.toString()).pages()).isEqualTo(3000);
    }
}
