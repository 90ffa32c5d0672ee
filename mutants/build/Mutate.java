import java.io.File;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import javax.tools.JavaCompiler;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;

/**
 * Makes mutants at build time: applies the edits of each *.mutant file to copies of the production sources and compiles these. Usage: {@code
 * java Mutate.java FOLDER-OF-MUTANTS ROOT CLASS-PATH OUTPUT}. In OUTPUT/mutants come to lie an index, and for each mutant its text and its
 * classes, whose files end with .bin, since they are no classes of the bundle that they are in. The changed sources stay in a folder
 * "mutated" beside OUTPUT, to be looked at.
 *
 * <p>Fails if a text that is to be replaced is not in its file exactly once: then the mutant is of another time than the source.
 */
final class Mutate {
    private static final String FILE = "file: ";
    private static final String SEARCH = "--- search";
    private static final String REPLACE = "--- replace";
    private static final String END = "--- end";

    public static void main(String[] args) throws IOException {
        Path root = Path.of(args[1]);
        Path out = Path.of(args[3], "mutants");
        Path work = Path.of(args[3]).resolveSibling("mutated");
        Files.createDirectories(out);
        StringBuilder index = new StringBuilder();
        try (Stream<Path> files = Files.list(Path.of(args[0]))) {
            for (Path file : files.filter(f -> f.toString().endsWith(".mutant")).sorted().toList()) {
                String name = file.getFileName().toString().replace(".mutant", "");
                Path classes = Files.createDirectories(work.resolve(name).resolve("classes"));
                List<Path> sources = mutated(file, root, Files.createDirectories(work.resolve(name).resolve("src")));
                compile(name, sources, args[2], classes);
                copy(classes, out.resolve(name));
                Files.copy(file, out.resolve(name + ".mutant"), StandardCopyOption.REPLACE_EXISTING);
                index.append(name).append('\n');
            }
        }
        Files.writeString(out.resolve("index"), index);
    }

    /** The sources of {@code file} with its edits, in {@code folder}. */
    private static List<Path> mutated(Path file, Path root, Path folder) throws IOException {
        List<Path> sources = new ArrayList<>();
        String[] parts = Files.readString(file).split("(?m)^" + FILE);
        for (int i = 1; i < parts.length; i++) {
            String source = parts[i].substring(0, parts[i].indexOf('\n')).strip();
            Path original = root.resolve(source);
            String text = Files.readString(original);
            int at = 0;
            while ((at = parts[i].indexOf(SEARCH + "\n", at)) >= 0) {
                int middle = parts[i].indexOf(REPLACE + "\n", at);
                int end = parts[i].indexOf(END, middle);
                String search = parts[i].substring(at + SEARCH.length() + 1, middle);
                String replacement = parts[i].substring(middle + REPLACE.length() + 1, end);
                int first = text.indexOf(search);
                if (first < 0 || text.indexOf(search, first + 1) >= 0) {
                    throw new IllegalStateException(file + ": not exactly once in " + source + ":\n" + search);
                }
                text = text.replace(search, replacement);
                at = end;
            }
            Path copy = folder.resolve(original.getFileName());
            Files.writeString(copy, text);
            sources.add(copy);
        }
        return sources;
    }

    private static void compile(String name, List<Path> sources, String classPath, Path out) throws IOException {
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        StringWriter messages = new StringWriter();
        try (StandardJavaFileManager files = compiler.getStandardFileManager(null, null, null)) {
            boolean done = compiler.getTask(messages, files, null,
                    List.of("-proc:none", "-nowarn", "--release", "17", "-cp", classPath.replace(";", File.pathSeparator), "-d", out.toString()),
                    null, files.getJavaFileObjectsFromPaths(sources)).call();
            if (!done) {
                throw new IllegalStateException("mutant " + name + " does not compile:\n" + messages);
            }
        }
    }

    private static void copy(Path classes, Path out) throws IOException {
        try (Stream<Path> all = Files.walk(classes)) {
            for (Path c : all.filter(Files::isRegularFile).toList()) {
                Path to = out.resolve(classes.relativize(c).toString().replace(".class", ".bin"));
                Files.createDirectories(to.getParent());
                Files.copy(c, to, StandardCopyOption.REPLACE_EXISTING);
            }
        }
    }
}
