package org.penumbra.experiments.report;

import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * A table in plain text: columns as wide as their widest cell, two spaces between them, no space at the end of a line. A table
 * that is wider than {@link #WIDTH} wraps its last column if that is text, and else shortens its first.
 */
public final class ConsoleTable {
    /** Columns of a terminal that a table should fit into. */
    public static final int WIDTH = 110;

    private static final int SHORTEST = 12;
    private static final int NARROWEST = 30;
    private static final String GAP = "  ";

    private final String alignment;
    private final List<String> header;
    private final List<List<String>> rows = new ArrayList<>();

    /**
     * An empty table.
     *
     * @param alignment a letter for each column: {@code l} for text, aligned to the left, {@code r} for numbers, to the right
     */
    public ConsoleTable(String alignment, String... header) {
        this.alignment = alignment;
        this.header = List.of(header);
    }

    /** Adds a row with a cell for each column. */
    public ConsoleTable row(String... cells) {
        rows.add(List.of(cells));
        return this;
    }

    /** True if no row was added. */
    public boolean isEmpty() {
        return rows.isEmpty();
    }

    /**
     * The lines, header first.
     *
     * @param emphasis what makes the header stand out
     */
    public List<String> lines(UnaryOperator<String> emphasis) {
        int[] widths = widths();
        List<String> lines = new ArrayList<>();
        lines.add(emphasis.apply(line(header, widths)));
        int last = widths.length - 1;
        for (List<String> row : rows) {
            List<String> wrapped = isText(last) ? wrap(row.get(last), widths[last]) : List.of(row.get(last));
            for (int i = 0; i < wrapped.size(); i++) {
                List<String> cells = new ArrayList<>(i == 0 ? row.subList(0, last) : row.subList(0, last).stream().map(c -> "").toList());
                cells.add(wrapped.get(i));
                lines.add(line(cells, widths));
            }
        }
        return lines;
    }

    private boolean isText(int column) {
        return alignment.charAt(column) == 'l';
    }

    private int[] widths() {
        int last = header.size() - 1;
        int[] widths = new int[last + 1];
        int total = GAP.length() * last;
        for (int c = 0; c <= last; c++) {
            int column = c;
            widths[c] = Math.max(header.get(c).length(), rows.stream().mapToInt(r -> r.get(column).length()).max().orElse(0));
            total += widths[c];
        }
        if (total > WIDTH) {
            int excess = total - WIDTH;
            int shrunk = isText(last) ? last : 0;
            int least = Math.min(widths[shrunk], isText(last) ? NARROWEST : SHORTEST);
            widths[shrunk] = Math.max(least, widths[shrunk] - excess);
        }
        return widths;
    }

    private String line(List<String> cells, int[] widths) {
        StringBuilder line = new StringBuilder();
        for (int c = 0; c < cells.size(); c++) {
            String cell = cells.get(c);
            if (c == 0 && cell.length() > widths[0]) {
                cell = cell.substring(0, widths[0] - 1) + "…";
            }
            String padding = " ".repeat(Math.max(0, widths[c] - cell.length()));
            line.append(c == 0 ? "" : GAP).append(isText(c) ? cell + padding : padding + cell);
        }
        return line.toString().stripTrailing();
    }

    /** Breaks at spaces; a word that is wider than {@code width} stays whole. */
    private static List<String> wrap(String text, int width) {
        List<String> lines = new ArrayList<>();
        StringBuilder line = new StringBuilder();
        for (String word : text.split(" ")) {
            if (line.length() > 0 && line.length() + 1 + word.length() > width) {
                lines.add(line.toString());
                line.setLength(0);
            }
            line.append(line.length() == 0 ? "" : " ").append(word);
        }
        lines.add(line.toString());
        return lines;
    }
}
