package org.penumbra.shell;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import org.apache.felix.service.command.Converter;
import org.osgi.service.component.annotations.Component;
import org.penumbra.api.machine.SwapReport;

/**
 * Makes the results of commands readable: a list of records as a table, a record with a line for each of its parts, a map of
 * numbers with a line for each entry. What is not of these kinds is left to Gogo.
 */
@Component(service = Converter.class)
public final class Display implements Converter {
    @Override
    public Object convert(Class<?> desired, Object in) {
        return null;
    }

    @Override
    public CharSequence format(Object target, int level, Converter escape) {
        if (target instanceof JobInfo job) {
            return "[" + job.id() + "] " + job.state() + "  " + job.command();
        }
        if (level != INSPECT) {
            return target instanceof Record record ? String.join(" ", cells(record)) : null;
        }
        List<String> lines = null;
        if (target instanceof Collection<?> all && all.stream().allMatch(Objects::isNull)) {
            // nothing was found, or each of what was has been worked on
            return "";
        }
        if (target instanceof Audit audit) {
            lines = audit(audit);
        } else if (target instanceof Collection<?> all && all.stream().allMatch(Audit.class::isInstance)) {
            lines = all.stream().flatMap(a -> audit((Audit) a).stream()).toList();
        } else if (target instanceof Record record) {
            lines = record(record);
        } else if (target instanceof Collection<?> all && all.stream().allMatch(Record.class::isInstance)
                && all.stream().map(Object::getClass).distinct().count() == 1) {
            lines = table(all);
        } else if (target instanceof Map<?, ?> map && map.values().stream().allMatch(Number.class::isInstance)) {
            lines = entries(map);
        }
        return lines == null ? null : String.join("\n", lines);
    }

    private static List<String> audit(Audit audit) {
        List<String> lines = new ArrayList<>();
        lines.add("machine " + audit.machine() + " under " + audit.design() + ": " + count(audit.violations().size(), "violation"));
        audit.violations().forEach(v -> lines.add("  " + v));
        audit.misconduct().forEach(m -> lines.add("  misconduct: " + m));
        return lines;
    }

    private static String count(int n, String what) {
        return (n == 0 ? "no" : String.valueOf(n)) + " " + what + (n == 1 ? "" : "s");
    }

    private static List<String> record(Record record) {
        RecordComponent[] components = record.getClass().getRecordComponents();
        List<String> cells = cells(record);
        Table table = new Table("ll");
        for (int i = 0; i < components.length; i++) {
            table.row(title(components[i]), cells.get(i));
        }
        return table.lines();
    }

    private static List<String> table(Collection<?> records) {
        RecordComponent[] components = records.iterator().next().getClass().getRecordComponents();
        StringBuilder alignment = new StringBuilder();
        List<String> header = new ArrayList<>();
        for (RecordComponent c : components) {
            alignment.append(c.getType().isPrimitive() ? 'r' : 'l');
            header.add(title(c));
        }
        Table table = new Table(alignment.toString()).row(header.toArray(String[]::new));
        records.forEach(r -> table.row(cells((Record) r).stream()
                // a single report names the bundles; here there is no room for them
                .map(c -> r instanceof SwapReport ? c.replaceFirst(" \\(.*", "") : c).toArray(String[]::new)));
        return table.lines();
    }

    private static List<String> entries(Map<?, ?> map) {
        Table table = new Table("lr");
        map.forEach((key, value) -> table.row(String.valueOf(key), text(value)));
        return table.lines();
    }

    private static List<String> cells(Record record) {
        List<String> cells = new ArrayList<>();
        for (RecordComponent c : record.getClass().getRecordComponents()) {
            try {
                cells.add(text(c.getAccessor().invoke(record)));
            } catch (IllegalAccessException | InvocationTargetException e) {
                cells.add("?");
            }
        }
        return cells;
    }

    private static String text(Object value) {
        if (value instanceof Long || value instanceof Integer) {
            return String.format(Locale.ROOT, "%,d", ((Number) value).longValue());
        }
        return value == null || value.equals("") ? "-" : value.toString();
    }

    /** "parkNanos" is headed "Park nanos". */
    private static String title(RecordComponent component) {
        String words = component.getName().replaceAll("(\\p{Lu})", " $1").toLowerCase(Locale.ROOT);
        return Character.toUpperCase(words.charAt(0)) + words.substring(1);
    }
}
