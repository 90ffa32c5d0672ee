package org.penumbra.shell;

import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.felix.service.command.CommandProcessor;
import org.apache.felix.service.command.CommandSession;
import org.osgi.framework.BundleContext;
import org.osgi.framework.InvalidSyntaxException;
import org.osgi.framework.ServiceReference;

/** The commands that a session knows at the moment, of Penumbra and of other bundles. */
final class Catalog {
    /** The scope of Penumbra's commands. */
    static final String SCOPE = "penumbra";
    /** What a name without a scope means: Penumbra's command first. */
    static final String SCOPES = SCOPE + ":gogo:felix:*";

    private final Container container;
    private final CommandSession session;

    Catalog(Container container, CommandSession session) {
        this.container = container;
        this.session = session;
    }

    /** The names of commands, by scope. */
    Map<String, Collection<String>> names() {
        Map<String, Collection<String>> names = new TreeMap<>();
        if (session.get(".commands") instanceof Collection<?> commands) {
            for (Object command : commands) {
                String[] parts = command.toString().split(":", 2);
                if (parts.length == 2) {
                    names.computeIfAbsent(parts[0], s -> new TreeSet<>()).add(parts[1]);
                }
            }
        }
        return names;
    }

    /** Every name that can be typed without a scope. */
    Collection<String> all() {
        return names().values().stream().flatMap(Collection::stream).collect(Collectors.toCollection(TreeSet::new));
    }

    /** The usage of one of Penumbra's commands, or of another bundle's in the same scope. */
    Optional<Usage> usage(String command) {
        String name = command.startsWith(SCOPE + ":") ? command.substring(SCOPE.length() + 1) : command;
        BundleContext context = container.context();
        for (ServiceReference<?> reference : providers(context, name)) {
            Object service = context.getService(reference);
            if (service != null) {
                try {
                    Optional<Usage> usage = Usage.of(service.getClass(), name);
                    if (usage.isPresent()) {
                        return usage;
                    }
                } finally {
                    context.ungetService(reference);
                }
            }
        }
        return Optional.empty();
    }

    private static List<ServiceReference<?>> providers(BundleContext context, String name) {
        if (!name.matches("[\\w-]+")) {
            return List.of();
        }
        try {
            ServiceReference<?>[] found = context.getServiceReferences((String) null, "(&(" + CommandProcessor.COMMAND_SCOPE + "="
                    + SCOPE + ")(" + CommandProcessor.COMMAND_FUNCTION + "=" + name + "))");
            return found == null ? List.of() : List.of(found);
        } catch (InvalidSyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    /** All commands: Penumbra's with their purpose, the others by name. */
    String overview() {
        Map<String, Collection<String>> names = new LinkedHashMap<>(names());
        Table table = new Table("ll");
        for (String name : Optional.ofNullable(names.remove(SCOPE)).orElse(List.of())) {
            usage(name).ifPresent(u -> table.row(u.synopsis(), u.summary()));
        }
        StringBuilder text = new StringBuilder();
        table.lines().forEach(l -> text.append(l).append('\n'));
        text.append("\nOf the container itself:\n");
        names.forEach((scope, commands) -> wrap(text, scope + ": " + String.join(" ", commands)));
        return text.append("\n'help COMMAND' says more. Results pipe: machines | grep shadow; (counters 1) get exits; "
                + "each (machines) { audit ($it id) }").toString();
    }

    private static void wrap(StringBuilder text, String words) {
        int column = 0;
        for (String word : words.split(" ")) {
            if (column > 0 && column + word.length() > 98) {
                text.append("\n   ");
                column = 3;
            }
            text.append(column == 0 ? "" : " ").append(word);
            column += word.length() + 1;
        }
        text.append('\n');
    }

    /** What the container's own help says of a command of another bundle; brackets, since it prints. */
    String foreign(String command) throws Exception {
        String name = command.substring(command.indexOf(':') + 1);
        if (!all().contains(name)) {
            throw unknown(command);
        }
        Object help = session.execute("(felix:help '" + command.replace("'", "") + "')");
        return help == null ? "" : help.toString();
    }

    UserError unknown(String command) {
        return new UserError("unknown command '" + command + "'; " + Names.nearest(command, all())
                .map(n -> "did you mean '" + n + "'? ").orElse("") + "'help' lists all");
    }
}
