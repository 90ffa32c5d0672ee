package org.penumbra.plugins;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.tuple;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.penumbra.api.plugin.PluginException;
import org.penumbra.api.plugin.PluginTools;
import org.penumbra.api.plugin.PluginTools.Change;
import org.penumbra.api.plugin.PluginTools.Offer;

class RepositoryTest {
    @TempDir
    Path folder;

    private final PluginTools tools = Jars.tools();
    private Path repository;
    private Path plugins;
    private Path index;
    private List<URI> indexes;

    @BeforeEach
    void folders() throws IOException {
        repository = Files.createDirectory(folder.resolve("repository"));
        plugins = Files.createDirectory(folder.resolve("plugins"));
        index = repository.resolve("index.xml");
        indexes = List.of(index.toUri());
    }

    private static List<String> actions(List<Change> changes) {
        return changes.stream().map(c -> c.action() + " " + c.name() + " " + c.version()).toList();
    }

    private List<String> files() throws IOException {
        try (Stream<Path> files = Files.list(plugins)) {
            return files.map(f -> f.getFileName().toString()).sorted().toList();
        }
    }

    private static void refuses(ThrowingCallable call, String... parts) {
        assertThatExceptionOfType(PluginException.class).isThrownBy(call).satisfies(e -> assertThat(e.getMessage()).contains(parts).doesNotContain("\n"));
    }

    @Test
    @DisplayName("P06 an index says what its bundles bring; a search finds them by name, description and design, the newest first")
    void search() throws IOException {
        tools.publish(index, List.of(Jars.design(repository, "org.example.agile", "1.0.0"), Jars.design(repository, "org.example.agile", "1.1.0"),
                Jars.bundle(repository, "org.example.library", "2.0.0", Map.of("Export-Package", "org.example.library"))));
        assertThat(tools.search(indexes, List.of())).extracting(Offer::name, Offer::version).containsExactly(
                tuple("org.example.agile", "1.1.0"), tuple("org.example.agile", "1.0.0"),
                tuple("org.example.library", "2.0.0"));
        assertThat(tools.search(indexes, List.of("SHADOWS"))).extracting(Offer::designs).containsExactly(List.of("agile"), List.of("agile"));
        assertThat(tools.search(indexes, List.of("shadows", "library"))).isEmpty();
        assertThat(Files.readString(index)).contains("http://www.osgi.org/xmlns/repository/v1.0.0").contains("value=\"org.example.agile-1.0.0.jar\"");
    }

    @Test
    @DisplayName("P06 install takes the newest, update replaces it in place, remove takes it away")
    void life() throws IOException {
        tools.publish(index, List.of(Jars.design(repository, "org.example.agile", "1.0.0")));
        assertThat(actions(tools.install(indexes, List.of("agile"), plugins))).containsExactly("installed org.example.agile 1.0.0");
        assertThat(actions(tools.install(indexes, List.of("agile"), plugins))).containsExactly("unchanged org.example.agile 1.0.0");
        assertThat(actions(tools.update(indexes, List.of(), plugins))).containsExactly("unchanged org.example.agile 1.0.0");
        Path next = Jars.design(repository, "org.example.agile", "1.1.0");
        tools.publish(index, List.of(repository.resolve("org.example.agile-1.0.0.jar"), next));
        assertThat(actions(tools.update(indexes, List.of(), plugins))).containsExactly("updated org.example.agile 1.1.0");
        assertThat(files()).containsExactly("org.example.agile.jar");
        assertThat(plugins.resolve("org.example.agile.jar")).hasSameBinaryContentAs(next);
        assertThat(actions(tools.remove(List.of("org.example.agile"), plugins))).containsExactly("removed org.example.agile 1.1.0");
        assertThat(files()).isEmpty();
    }

    @Test
    @DisplayName("P06 what a plugin needs and the container has not comes along; what is nowhere is named, and nothing is installed")
    void resolves() throws IOException {
        Path needy = Jars.bundle(repository, "org.example.needy", "1.0.0",
                Map.of("Import-Package", Jars.API + ",org.example.library;version=\"[2.0,3)\""));
        Path old = Jars.bundle(repository, "org.example.library", "1.0.0", Map.of("Export-Package", "org.example.library;version=1.0"));
        tools.publish(index, List.of(needy, old));
        refuses(() -> tools.install(indexes, List.of("org.example.needy"), plugins),
                "org.example.needy 1.0.0 needs the package org.example.library in version [2.0.0,3.0.0)", "version 1.0");
        assertThat(files()).isEmpty();
        Path fits = Jars.bundle(repository, "org.example.library", "2.1.0", Map.of("Export-Package", "org.example.library;version=2.1"));
        tools.publish(index, List.of(needy, old, fits));
        assertThat(actions(tools.install(indexes, List.of("org.example.needy"), plugins)))
                .containsExactlyInAnyOrder("installed org.example.needy 1.0.0", "installed org.example.library 2.1.0");
    }

    @Test
    @DisplayName("P06 a plugin of a repository that was built for another API is not installed")
    void otherApi() throws IOException {
        tools.publish(index, List.of(Jars.bundle(repository, "org.example.late", "1.0.0", Map.of("Import-Package", "org.penumbra.api.mmu;version=\"[2.0,3)\""))));
        refuses(() -> tools.install(indexes, List.of("org.example.late"), plugins), "was built for another API", "[2.0.0,3.0.0)", "0.1.0");
    }

    @Test
    @DisplayName("P06 a jar that is not what the index says is not installed")
    void checksum() throws IOException {
        tools.publish(index, List.of(Jars.design(repository, "org.example.agile", "1.0.0")));
        Files.writeString(repository.resolve("org.example.agile-1.0.0.jar"), "something else");
        refuses(() -> tools.install(indexes, List.of("agile"), plugins), "is not what the index says", "publish the index anew");
        assertThat(files()).isEmpty();
    }

    @Test
    @DisplayName("P06 an index is read over HTTP, and jars beside it")
    void http() throws IOException {
        tools.publish(index, List.of(Jars.design(repository, "org.example.agile", "1.0.0")));
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", exchange -> {
            Path file = repository.resolve(exchange.getRequestURI().getPath().substring(1));
            exchange.sendResponseHeaders(Files.exists(file) ? 200 : 404, 0);
            if (Files.exists(file)) {
                Files.copy(file, exchange.getResponseBody());
            }
            exchange.close();
        });
        server.start();
        try {
            String root = "http://" + server.getAddress().getHostString() + ":" + server.getAddress().getPort() + "/";
            assertThat(actions(tools.install(List.of(URI.create(root + "index.xml")), List.of("agile"), plugins)))
                    .containsExactly("installed org.example.agile 1.0.0");
            refuses(() -> tools.search(List.of(URI.create(root + "nothing.xml")), List.of()), "cannot be read: there is no such file");
        } finally {
            server.stop(0);
        }
    }

    @Test
    @DisplayName("P06 an index that is none, a name that nobody has and a folder that is not there get one line")
    void refusals() throws IOException {
        tools.publish(index, List.of(Jars.design(repository, "org.example.agile", "1.0.0")));
        refuses(() -> tools.install(indexes, List.of("agil"), plugins), "no index has a plugin or a design 'agil'; there are org.example.agile");
        refuses(() -> tools.remove(List.of("agile"), plugins), "has no plugin 'agile'; it has none");
        refuses(() -> tools.update(indexes, List.of("agile"), plugins), "has no plugin 'agile'; 'install' brings it");
        refuses(() -> tools.install(indexes, List.of("agile"), folder.resolve("nowhere")), "is no folder");
        Files.writeString(index, Files.readString(index).replace("value=\"org.example.agile\"", "value=\"../agile\""));
        refuses(() -> tools.install(indexes, List.of("../agile"), plugins), "an index names a bundle '../agile', which is no symbolic name");
        Files.writeString(index, "<html>not found</html>");
        refuses(() -> tools.search(indexes, List.of()), "the index " + index.toUri() + " is none");
        Files.delete(index);
        refuses(() -> tools.search(indexes, List.of()), "cannot be read: there is no such file");
    }
}
