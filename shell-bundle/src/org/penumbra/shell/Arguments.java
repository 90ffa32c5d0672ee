package org.penumbra.shell;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.apache.felix.service.command.CommandSession;

/** Arguments that are more than a name. */
final class Arguments {
    private Arguments() {}

    /** The file that a person means in {@code session}. */
    static Path file(CommandSession session, String name) {
        return session.currentDir().resolve(name);
    }

    /** Seconds, with a fraction if need be. */
    static double seconds(String text) {
        try {
            double seconds = Double.parseDouble(text);
            if (seconds >= 0 && seconds <= 1e6) {
                return seconds;
            }
        } catch (NumberFormatException e) {
            // said below
        }
        throw new UserError("'" + text + "' is no number of seconds; 0.5 or 10 would be");
    }

    /**
     * {@code key=value} words as settings of {@code design}.
     *
     * @param known keys with their choices, none for any value
     */
    static Map<String, String> settings(String design, Map<String, List<String>> known, String... words) {
        Map<String, String> settings = new LinkedHashMap<>();
        for (String word : words) {
            int equals = word.indexOf('=');
            if (equals <= 0) {
                throw new UserError("'" + word + "' is no setting; KEY=VALUE is, for example "
                        + known.keySet().stream().findFirst().orElse(design + ".key") + "=…");
            }
            String key = word.substring(0, equals);
            String value = word.substring(equals + 1);
            List<String> choices = known.get(key);
            if (choices == null) {
                throw Names.unknown("setting of " + design, key, new TreeSet<>(known.keySet()));
            }
            if (!choices.isEmpty() && !choices.contains(value)) {
                throw Names.unknown("value of " + key, value, choices);
            }
            settings.put(key, value);
        }
        return settings;
    }
}
