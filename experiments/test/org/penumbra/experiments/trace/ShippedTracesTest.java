package org.penumbra.experiments.trace;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The traces that come with Penumbra are what the page beside them says. */
@DisplayName("X01 traces of real programs that come with Penumbra")
class ShippedTracesTest {

    private static final Path FOLDER = Path.of(System.getProperty("basedir", ""), "resources", "traces");

    /** The cells of the rows about traces in the page's tables: {@code width} cells each. */
    private static Stream<List<String>> rows(int width) throws IOException {
        return Files.readAllLines(FOLDER.resolve("README.md")).stream().filter(line -> line.startsWith("| `"))
                .map(line -> Stream.of(line.split("\\|")).skip(1).map(cell -> cell.replace("`", "").strip()).toList())
                .filter(cells -> cells.size() == width);
    }

    static Stream<List<String>> contents() throws IOException {
        return rows(9);
    }

    static Stream<List<String>> origins() throws IOException {
        return rows(4);
    }

    @ParameterizedTest
    @MethodSource("contents")
    @DisplayName("X01 a trace has the records and touches the pages that its row states")
    void content(List<String> row) throws IOException {
        Path file = FOLDER.resolve(row.get(0));
        TraceSummary summary = TraceSummary.of(file);

        assertThat(List.of(summary.records(), summary.fetches(), summary.loads(), summary.stores(), summary.modifies(),
                summary.pages(), summary.codePages(), Files.size(file)))
                .isEqualTo(row.subList(1, 9).stream().map(Long::valueOf).toList());
        assertThat(Files.size(file)).isLessThan(700_000);
    }

    @ParameterizedTest
    @MethodSource("origins")
    @DisplayName("X01 a trace has the checksum that its row states")
    void checksum(List<String> row) throws Exception {
        byte[] digest = MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(FOLDER.resolve(row.get(0))));

        assertThat(HexFormat.of().formatHex(digest)).isEqualTo(row.get(3));
    }

    @Test
    @DisplayName("X01 every trace has its rows, and every file that a command reads is there")
    void complete() throws IOException {
        List<String> files = new ArrayList<>();
        try (Stream<Path> all = Files.list(FOLDER)) {
            all.map(file -> file.getFileName().toString()).filter(name -> name.endsWith(".xz")).forEach(files::add);
        }
        assertThat(contents().map(row -> row.get(0))).containsExactlyInAnyOrderElementsOf(files).isNotEmpty();
        assertThat(origins().map(row -> row.get(0))).containsExactlyInAnyOrderElementsOf(files);

        List<String> inputs = new ArrayList<>();
        try (Stream<Path> all = Files.list(FOLDER.resolve("inputs"))) {
            all.map(file -> "inputs/" + file.getFileName()).forEach(inputs::add);
        }
        String page = Files.readString(FOLDER.resolve("README.md"));
        assertThat(inputs).hasSize(files.size()).allSatisfy(input -> assertThat(page).contains(input));
    }
}
