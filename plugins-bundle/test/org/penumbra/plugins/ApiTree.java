package org.penumbra.plugins;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import aQute.bnd.differ.DiffPluginImpl;
import aQute.bnd.header.Parameters;
import aQute.bnd.osgi.Builder;
import aQute.bnd.service.diff.Delta;
import aQute.bnd.service.diff.Tree;
import aQute.bnd.service.diff.Type;

/**
 * The exported packages of an API as bnd's differ sees them, and as text that people can compare.
 *
 * <pre>
 *  tabs   depth in the tree
 *  TYPE   what it is: a package, a class, a method …
 *  +D -D  how much it is to add it or to remove it, unless +MINOR -MAJOR
 *  name
 * </pre>
 */
final class ApiTree {
    private static final String API = "<api>";

    private ApiTree() {}

    /** Of the classes in {@code classes}, a folder or a jar. */
    static Tree of(Path classes, String packages) throws Exception {
        try (Builder builder = new Builder()) {
            builder.addClasspath(classes.toFile());
            builder.setProperty("Bundle-SymbolicName", "api");
            builder.setProperty("Export-Package", packages);
            Tree.Data bundle = new DiffPluginImpl().tree(builder.build()).serialize();
            bundle.children = Arrays.stream(bundle.children).filter(c -> c.name.equals(API)).toArray(Tree.Data[]::new);
            bundle.name = API;
            return tree(withoutTheJdks(bundle));
        }
    }

    /** What classes inherit from the Java that runs this differs from one to the next. */
    private static Tree.Data withoutTheJdks(Tree.Data node) {
        node.children = Arrays.stream(node.children)
                .filter(c -> !(c.type == Type.ANNOTATED && c.name.startsWith("jdk.")) && !c.name.equals("finalize()"))
                .map(ApiTree::withoutTheJdks).toArray(Tree.Data[]::new);
        return node;
    }

    private static Tree tree(Tree.Data data) {
        try {
            return new DiffPluginImpl().deserialize(data);
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    /** The packages and their versions, as an Export-Package header. */
    static Parameters exports(Tree tree) {
        Parameters exports = new Parameters();
        for (Tree p : tree.get(API).getChildren()) {
            if (p.getType() == Type.PACKAGE) {
                Arrays.stream(p.getChildren()).filter(c -> c.getType() == Type.VERSION)
                        .forEach(v -> exports.add(p.getName(), aQute.bnd.header.Attrs.create("version", v.getName())));
            }
        }
        return exports;
    }

    static void write(Tree tree, Path file) throws IOException {
        StringBuilder text = new StringBuilder();
        append(tree, 0, text);
        Files.writeString(file, text);
    }

    private static void append(Tree node, int depth, StringBuilder text) {
        text.append("\t".repeat(depth)).append(node.getType());
        if (node.ifAdded() != Delta.MINOR || node.ifRemoved() != Delta.MAJOR) {
            text.append(" +").append(node.ifAdded()).append(" -").append(node.ifRemoved());
        }
        text.append(' ').append(node.getName()).append('\n');
        for (Tree child : node.getChildren()) {
            append(child, depth + 1, text);
        }
    }

    static Tree read(Path file) throws IOException {
        Deque<Tree.Data> path = new ArrayDeque<>();
        Tree.Data root = null;
        for (String line : Files.readAllLines(file)) {
            int depth = line.length() - line.stripLeading().length();
            while (path.size() > depth) {
                path.pop();
            }
            Tree.Data node = node(line.strip());
            if (path.isEmpty()) {
                root = node;
            } else {
                Tree.Data parent = path.peek();
                parent.children = Arrays.copyOf(parent.children, parent.children.length + 1);
                parent.children[parent.children.length - 1] = node;
            }
            path.push(node);
        }
        return tree(root);
    }

    private static Tree.Data node(String text) {
        Tree.Data node = new Tree.Data();
        List<String> words = List.of(text.split(" ", 4));
        node.children = new Tree.Data[0];
        node.type = Type.valueOf(words.get(0));
        boolean deltas = words.size() == 4 && words.get(1).startsWith("+");
        if (deltas) {
            node.add = Delta.valueOf(words.get(1).substring(1));
            node.rem = Delta.valueOf(words.get(2).substring(1));
        }
        node.name = deltas ? words.get(3) : text.substring(text.indexOf(' ') + 1);
        return node;
    }
}
