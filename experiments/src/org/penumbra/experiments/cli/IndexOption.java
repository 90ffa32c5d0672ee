package org.penumbra.experiments.cli;

import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.List;
import org.penumbra.experiments.run.RefusedException;
import picocli.CommandLine.Option;

/** {@code --index}: where the indexes of repositories are. */
final class IndexOption {
    @Option(names = "--index", required = true, paramLabel = "INDEX", split = ",",
            description = "The index of a repository: a file, or a URL (http, https, file). Several with commas.")
    private List<String> indexes;

    List<URI> uris() {
        return indexes.stream().map(IndexOption::uri).toList();
    }

    private static URI uri(String index) {
        try {
            return index.matches("(https?|file):.*") ? new URI(index) : Path.of(index).toAbsolutePath().normalize().toUri();
        } catch (URISyntaxException e) {
            throw new RefusedException("--index: '" + index + "' is no URL: " + e.getReason());
        }
    }
}
