package org.penumbra.shell;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/**
 * Rows of text in columns as wide as their widest cell, with two spaces between them and none at the end of a line. A last column of
 * text is wrapped at {@link #WIDTH}.
 */
final class Table {
    private static final int WIDTH = 110;
    private static final int NARROWEST = 30;

    private final String alignment;
    private final List<String[]> rows = new ArrayList<>();

    /** @param alignment a letter for each column: {@code l} to the left, {@code r} to the right */
    Table(String alignment) {
        this.alignment = alignment;
    }

    Table row(String... cells) {
        rows.add(cells);
        return this;
    }

    List<String> lines() {
        int[] widths = new int[alignment.length()];
        rows.forEach(r -> {
            for (int c = 0; c < r.length; c++) {
                widths[c] = Math.max(widths[c], r[c].length());
            }
        });
        int last = widths.length - 1;
        int before = Arrays.stream(widths).limit(last).map(w -> w + 2).sum();
        if (alignment.charAt(last) == 'l') {
            widths[last] = Math.min(widths[last], Math.max(NARROWEST, WIDTH - before));
        }
        List<String> lines = new ArrayList<>();
        for (String[] row : rows) {
            List<String> wrapped = wrap(row[last], widths[last]);
            for (int i = 0; i < wrapped.size(); i++) {
                String[] cells = i == 0 ? row.clone() : Collections.nCopies(row.length, "").toArray(String[]::new);
                cells[last] = wrapped.get(i);
                lines.add(line(cells, widths));
            }
        }
        return lines;
    }

    /** Breaks at spaces; a word that is wider stays whole. */
    private static List<String> wrap(String text, int width) {
        List<String> lines = new ArrayList<>();
        String rest = text;
        while (rest.length() > width) {
            int space = rest.lastIndexOf(' ', width);
            space = space > 0 ? space : rest.indexOf(' ', width);
            if (space < 0) {
                break;
            }
            lines.add(rest.substring(0, space));
            rest = rest.substring(space + 1);
        }
        lines.add(rest);
        return lines;
    }

    private String line(String[] cells, int[] widths) {
        StringBuilder line = new StringBuilder();
        for (int c = 0; c < cells.length; c++) {
            String padding = " ".repeat(Math.max(0, widths[c] - cells[c].length()));
            line.append(c == 0 ? "" : "  ").append(alignment.charAt(c) == 'l' ? cells[c] + padding : padding + cells[c]);
        }
        return line.toString().stripTrailing();
    }
}
