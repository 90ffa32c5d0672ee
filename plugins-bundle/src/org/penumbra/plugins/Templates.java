package org.penumbra.plugins;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.penumbra.api.plugin.PluginException;
import org.penumbra.api.plugin.PluginTools.Project;

/** Makes projects from the folder {@code templates}. In its files and their names PACKAGE and NAME, or {{…}}, are replaced. */
final class Templates {
    private static final Pattern NAME = Pattern.compile("[a-z][a-z0-9]*(-[a-z0-9]+)*");
    private static final Pattern PACKAGE = Pattern.compile("[a-z][a-z0-9_]*(\\.[a-z][a-z0-9_]*)+");
    private static final String MAIN = "src/main/java/PACKAGE/";
    private static final String TEST = "src/test/java/PACKAGE/";
    private static final List<String> COMMON = List.of("pom.xml", "bnd.bnd", "gitignore");
    private static final Map<String, Template> KINDS = new LinkedHashMap<>();

    static {
        kind("mmu", "An MMU design for Penumbra.", MAIN + "NAMEMmuFactory.java", MAIN + "NAMEMmu.java", MAIN + "NAMEContext.java",
                MAIN + "EptTree.java", TEST + "NAMEContractTest.java");
        kind("handler", "A handler of VM exits for Penumbra.", MAIN + "NAMEHandler.java", TEST + "NAMEHandlerTest.java");
        kind("interrupt-controller", "An interrupt controller for Penumbra.", MAIN + "NAME.java", MAIN + "NAMEFactory.java", TEST + "NAMETest.java");
        kind("workload", "A guest program for Penumbra.", MAIN + "NAMEWorkload.java", MAIN + "NAMEProgram.java", TEST + "NAMEWorkloadTest.java");
    }

    /** Words that, with what the templates add, would be names of the API. */
    private static final List<String> TAKEN = List.of("Mmu", "VmExit", "InterruptController");

    private record Template(String description, List<String> files) {}

    private Templates() {}

    private static void kind(String name, String description, String... files) {
        List<String> all = new ArrayList<>(Arrays.asList(files));
        all.add("README.md");
        KINDS.put(name, new Template(description, all));
    }

    static List<String> kinds() {
        return List.copyOf(KINDS.keySet());
    }

    static List<Path> create(Project project) {
        Template template = KINDS.get(project.kind());
        if (template == null) {
            throw new PluginException("there is no template for '" + project.kind() + "'; there are " + String.join(", ", KINDS.keySet()));
        }
        if (!NAME.matcher(project.name()).matches()) {
            throw new PluginException("'" + project.name() + "' cannot name a plugin: small letters, digits and single dashes can, such as my-mmu");
        }
        if (!PACKAGE.matcher(project.packageName()).matches() || project.packageName().startsWith("org.penumbra")) {
            throw new PluginException("'" + project.packageName() + "' cannot be the plugin's package: one of your own is needed, such as org.example.mymmu");
        }
        String className = className(project);
        if (TAKEN.contains(className)) {
            throw new PluginException("'" + project.name() + "' would name classes as the API names its own; my-" + project.name() + " would do");
        }
        if (Files.exists(project.folder())) {
            throw new PluginException("'" + project.folder() + "' is there already; name another folder with --dir, or move it away");
        }
        Map<String, String> values = Map.of("name", project.name(), "Name", className, "package", project.packageName(),
                "description", template.description);
        try {
            List<Path> files = new ArrayList<>();
            for (String file : COMMON) {
                files.add(write(project, "common", file, values));
            }
            for (String file : template.files) {
                files.add(write(project, project.kind(), file, values));
            }
            return files;
        } catch (IOException e) {
            throw new PluginException("'" + project.folder() + "' cannot be written: " + e.getMessage(), e);
        }
    }

    /** "my-mmu" of kind mmu is My, to which the templates add Mmu. */
    private static String className(Project project) {
        String suffix = "-" + project.kind();
        String name = project.name().endsWith(suffix) ? project.name().substring(0, project.name().length() - suffix.length()) : project.name();
        return Arrays.stream(name.split("-")).map(w -> Character.toUpperCase(w.charAt(0)) + w.substring(1)).collect(Collectors.joining());
    }

    private static Path write(Project project, String kind, String file, Map<String, String> values) throws IOException {
        String text;
        try (InputStream in = Templates.class.getResourceAsStream("/templates/" + kind + "/" + file)) {
            if (in == null) {
                throw new IllegalStateException("this bundle has no template " + kind + "/" + file);
            }
            text = new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
        for (Map.Entry<String, String> value : values.entrySet()) {
            text = text.replace("{{" + value.getKey() + "}}", value.getValue());
        }
        String name = file.equals("gitignore") ? ".gitignore"
                : file.replace("PACKAGE", project.packageName().replace('.', '/')).replace("NAME", values.get("Name"));
        Path path = project.folder().resolve(name);
        Files.createDirectories(path.getParent());
        return Files.writeString(path, text);
    }
}
