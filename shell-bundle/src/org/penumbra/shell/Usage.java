package org.penumbra.shell;

import java.lang.annotation.Annotation;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.apache.felix.service.command.Descriptor;
import org.apache.felix.service.command.Function;
import org.apache.felix.service.command.Parameter;

/** How to use a command, as its annotations say. */
record Usage(String name, String summary, List<Argument> arguments) {
    /**
     * @param label its name in the usage line, with [] if it can be left out and ... if it can be repeated
     * @param options by which it is given; empty if its place says what it is
     */
    record Argument(String label, String description, List<String> options) {
        /** The label without its marks. */
        String kind() {
            return label.replaceAll("[\\[\\].]", "");
        }

        boolean repeated() {
            return label.contains("...");
        }

        private String synopsis() {
            return options.isEmpty() ? label : "[" + options.get(0) + " " + label + "]";
        }
    }

    /** The usage of the command {@code name} that {@code type} has; empty if it has none that is described. */
    static Optional<Usage> of(Class<?> type, String name) {
        return Arrays.stream(type.getDeclaredMethods()).filter(m -> m.isAnnotationPresent(Descriptor.class))
                .filter(m -> m.getName().equals(name) || Function.class.isAssignableFrom(type)).findFirst().map(m -> of(m, name));
    }

    private static Usage of(Method method, String name) {
        List<Argument> arguments = new ArrayList<>();
        for (Annotation[] annotations : method.getParameterAnnotations()) {
            String description = null;
            List<String> options = List.of();
            for (Annotation a : annotations) {
                if (a instanceof Descriptor d) {
                    description = d.value();
                } else if (a instanceof Parameter p) {
                    options = List.of(p.names());
                }
            }
            if (description != null) {
                String[] words = description.split(" ", 2);
                arguments.add(new Argument(words[0], words[1], options));
            }
        }
        return new Usage(name, method.getAnnotation(Descriptor.class).value(), arguments);
    }

    /** "swap ID DESIGN [KEY=VALUE...]". */
    String synopsis() {
        StringBuilder line = new StringBuilder(name);
        arguments.forEach(a -> line.append(' ').append(a.synopsis()));
        return line.toString();
    }

    /** All of it, for {@code help}. */
    String text() {
        StringBuilder text = new StringBuilder("usage: " + synopsis() + "\n" + summary);
        Table table = new Table("ll");
        for (Argument a : arguments) {
            table.row("  " + (a.options().isEmpty() ? a.kind() : String.join(", ", a.options()) + " " + a.kind()), a.description());
        }
        table.lines().forEach(l -> text.append('\n').append(l));
        return text.toString();
    }

    /** What stands at place {@code index} among the arguments without option, from 0. */
    Optional<Argument> at(int index) {
        List<Argument> placed = arguments.stream().filter(a -> a.options().isEmpty()).toList();
        if (index < placed.size()) {
            return Optional.of(placed.get(index));
        }
        return placed.isEmpty() ? Optional.empty() : Optional.of(placed.get(placed.size() - 1)).filter(Argument::repeated);
    }
}
