import java.io.IOException;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.stream.Stream;
import javax.tools.JavaCompiler;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;

/**
 * Makes the API without trace points, to see what they cost where they stand: {@code java benchmarks/build/Silent.java}, from the root of the
 * project when it is built, copies the API's classes to benchmarks/target/silent, with {@code Tracing} compiled so that nobody ever listens
 * and the compiler of the Java virtual machine leaves the points out.
 */
final class Silent {
    private static final String ASKED = "return (wanted & bit(point)) != 0;";

    public static void main(String[] args) throws IOException {
        Path classes = Path.of("api-bundle/target/classes");
        Path out = Path.of("benchmarks/target/silent");
        try (Stream<Path> all = Files.walk(classes)) {
            for (Path c : all.filter(f -> f.toString().endsWith(".class")).toList()) {
                Path to = out.resolve(classes.relativize(c).toString());
                Files.createDirectories(to.getParent());
                Files.copy(c, to, StandardCopyOption.REPLACE_EXISTING);
            }
        }
        String source = Files.readString(Path.of("api-bundle/src/org/penumbra/api/observe/Tracing.java"));
        if (source.indexOf(ASKED) < 0 || source.indexOf(ASKED) != source.lastIndexOf(ASKED)) {
            throw new IllegalStateException("Tracing.java has not exactly once: " + ASKED);
        }
        Path changed = Files.createDirectories(Path.of("benchmarks/target/silent-source")).resolve("Tracing.java");
        Files.writeString(changed, source.replace(ASKED, "return false;"));
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        StringWriter messages = new StringWriter();
        try (StandardJavaFileManager files = compiler.getStandardFileManager(null, null, null)) {
            if (!compiler.getTask(messages, files, null, List.of("-proc:none", "--release", "17", "-cp", classes.toString(), "-d", out.toString()),
                    null, files.getJavaFileObjects(changed)).call()) {
                throw new IllegalStateException(messages.toString());
            }
        }
    }
}
