package org.penumbra.experiments.study;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.penumbra.experiments.report.ConsoleTable;
import org.penumbra.experiments.report.Figures;

/**
 * What a study found.
 *
 * @param violations what must hold and did not, a line each
 */
public record StudyResult(List<Table> tables, List<String> violations) {
    public StudyResult {
        tables = List.copyOf(tables);
        violations = List.copyOf(violations);
    }

    /** A table whose cells are texts, numbers and null for what there is not. */
    public static final class Table {
        private final String name;
        private final String alignment;
        private final String[] columns;
        private final List<Object[]> rows = new ArrayList<>();

        /**
         * An empty table.
         *
         * @param name its name in JSON
         * @param alignment as {@link ConsoleTable} has it
         */
        public Table(String name, String alignment, String... columns) {
            this.name = name;
            this.alignment = alignment;
            this.columns = columns.clone();
        }

        /** Adds a row with a cell for each column. */
        public void row(Object... cells) {
            rows.add(cells.clone());
        }

        List<String> lines(UnaryOperator<String> emphasis) {
            ConsoleTable table = new ConsoleTable(alignment, columns);
            rows.forEach(r -> table.row(Arrays.stream(r).map(Table::text).toArray(String[]::new)));
            return table.lines(emphasis);
        }

        private static String text(Object cell) {
            if (cell == null) {
                return Figures.NONE;
            }
            if (cell instanceof Double d) {
                return Figures.decimal(d);
            }
            return cell instanceof Number n ? Figures.count(n.longValue()) : cell.toString();
        }

        private List<Map<String, Object>> document() {
            List<Map<String, Object>> all = new ArrayList<>();
            for (Object[] r : rows) {
                Map<String, Object> row = new LinkedHashMap<>();
                for (int i = 0; i < columns.length; i++) {
                    row.put(columns[i].toLowerCase(Locale.ROOT).replace(' ', '_'), r[i]);
                }
                all.add(row);
            }
            return all;
        }
    }

    /** The tables for people, one under the other. */
    public List<String> lines(UnaryOperator<String> emphasis) {
        List<String> lines = new ArrayList<>();
        for (Table t : tables) {
            if (!lines.isEmpty()) {
                lines.add("");
            }
            lines.addAll(t.lines(emphasis));
        }
        return lines;
    }

    /** The same for JSON. */
    public Map<String, Object> document(String experiment, String hardware) {
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("experiment", experiment);
        document.put("hardware", hardware);
        tables.forEach(t -> document.put(t.name, t.document()));
        document.put("violations", violations);
        return document;
    }
}
