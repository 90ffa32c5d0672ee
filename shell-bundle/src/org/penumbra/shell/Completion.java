package org.penumbra.shell;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.jline.reader.Candidate;
import org.jline.reader.Completer;
import org.jline.reader.LineReader;
import org.jline.reader.ParsedLine;
import org.osgi.framework.ServiceReference;
import org.penumbra.api.cpu.EngineFactory;
import org.penumbra.api.interrupt.InterruptControllerFactory;
import org.penumbra.api.machine.Machines;
import org.penumbra.api.mmu.MmuFactory;

/** What the word at the cursor can become: a command, or what the usage of the command asks for at that place. */
final class Completion implements Completer {
    private final Container container;
    private final Catalog catalog;
    private final Jobs jobs;
    private final Path directory;

    /** @param directory where names of files begin */
    Completion(Container container, Catalog catalog, Jobs jobs, Path directory) {
        this.container = container;
        this.catalog = catalog;
        this.jobs = jobs;
        this.directory = directory;
    }

    @Override
    public void complete(LineReader reader, ParsedLine line, List<Candidate> candidates) {
        for (String word : candidates(line.words())) {
            boolean goesOn = word.endsWith("=") || word.endsWith("/");
            candidates.add(new Candidate(word, word, null, null, null, null, !goesOn));
        }
    }

    /** Whole words that the last of {@code words} can become. */
    List<String> candidates(List<String> words) {
        String typed = words.get(words.size() - 1);
        if (words.size() == 1) {
            return matching(typed, catalog.all());
        }
        Optional<Usage> usage = catalog.usage(words.get(0));
        if (usage.isEmpty()) {
            return List.of();
        }
        if (typed.startsWith("-") && !usage.get().name().equals("run")) {
            return matching(typed, usage.get().arguments().stream().flatMap(a -> a.options().stream()).toList());
        }
        Optional<Usage.Argument> argument = usage.get().at(words.size() - 2);
        return argument.isEmpty() ? List.of() : matching(typed, known(argument.get().kind(), words, typed));
    }

    private Collection<String> known(String kind, List<String> words, String typed) {
        return switch (kind) {
            case "ID" -> container.references(Machines.class).stream().flatMap(this::ids).toList();
            case "DESIGN" -> container.names(MmuFactory.class, MmuFactory.MMU_NAME);
            case "KEY=VALUE" -> settings(words.get(2));
            case "ENGINE" -> container.names(EngineFactory.class, EngineFactory.ENGINE_NAME);
            case "CONTROLLER" -> container.names(InterruptControllerFactory.class, InterruptControllerFactory.CONTROLLER_NAME);
            case "BUNDLE" -> container.bundleNames();
            case "JOB" -> jobs.all().stream().map(j -> String.valueOf(j.id())).toList();
            case "COMMAND" -> catalog.all();
            case "JAR" -> files(typed);
            case "ARGUMENTS" -> {
                List<String> arguments = new ArrayList<>(words);
                arguments.set(0, "run");
                yield jobs.complete(arguments);
            }
            default -> List.of();
        };
    }

    private Stream<String> ids(ServiceReference<Machines> reference) {
        Machines machines = container.context().getService(reference);
        try {
            return machines == null ? Stream.empty()
                    : machines.running().stream().map(r -> String.valueOf(r.id())).toList().stream();
        } finally {
            container.context().ungetService(reference);
        }
    }

    /** Settings of {@code design} with each of their values, or with none yet if any will do. */
    private List<String> settings(String design) {
        List<String> settings = new ArrayList<>();
        container.each(MmuFactory.class, r -> s -> design.equals(r.getProperty(MmuFactory.MMU_NAME)) ? s.settings()
                : List.<MmuFactory.Setting>of()).stream().flatMap(List::stream).forEach(s -> {
                    s.choices().forEach(c -> settings.add(s.key() + "=" + c));
                    if (s.choices().isEmpty()) {
                        settings.add(s.key() + "=");
                    }
                });
        return settings;
    }

    /** Jars, and folders to look for them in. */
    private List<String> files(String typed) {
        String folder = typed.substring(0, typed.lastIndexOf('/') + 1);
        try (Stream<Path> files = Files.list(directory.resolve(folder))) {
            return files.filter(f -> Files.isDirectory(f) || f.toString().endsWith(".jar"))
                    .map(f -> folder + f.getFileName() + (Files.isDirectory(f) ? "/" : "")).toList();
        } catch (IOException | UncheckedIOException e) {
            return List.of();
        }
    }

    private static List<String> matching(String typed, Collection<String> words) {
        return words.stream().filter(w -> w.startsWith(typed)).distinct().sorted().toList();
    }
}
