package org.penumbra.experiments.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class ConsoleTableTest {
    private static List<String> lines(ConsoleTable table) {
        return table.lines(UnaryOperator.identity());
    }

    @Test
    @DisplayName("text is aligned to the left, numbers to the right, and no line ends with a space")
    void alignment() {
        ConsoleTable table = new ConsoleTable("lrl", "Name", "Number", "Note").row("a", "1,234,567", "x").row("longer", "1", "");
        assertThat(lines(table)).containsExactly(
                "Name       Number  Note",
                "a       1,234,567  x",
                "longer          1");
    }

    @Test
    @DisplayName("a header is emphasised as a whole")
    void emphasis() {
        assertThat(new ConsoleTable("lr", "A", "B").row("1", "2").lines(s -> "<" + s + ">")).containsExactly("<A  B>", "1  2");
    }

    @Test
    @DisplayName("a table of numbers that is too wide shortens its first column, and never a number")
    void shortened() {
        ConsoleTable table = new ConsoleTable("lr", "W", "N").row("w".repeat(60), "9".repeat(70)).row("v", "1");
        assertThat(lines(table).get(1)).hasSize(110).isEqualTo("w".repeat(37) + "…  " + "9".repeat(70));
        ConsoleTable hopeless = new ConsoleTable("lr", "W", "N").row("w".repeat(60), "9".repeat(200));
        assertThat(lines(hopeless).get(1)).isEqualTo("w".repeat(11) + "…  " + "9".repeat(200));
    }

    @Test
    @DisplayName("a last column of text wraps at spaces")
    void wrapped() {
        ConsoleTable table = new ConsoleTable("ll", "Key", "Source").row("k", "word ".repeat(40).strip()).row("l", "short");
        assertThat(lines(table)).allMatch(l -> l.length() <= 110).hasSize(4);
        assertThat(lines(table).get(2)).startsWith("     word word");
        assertThat(lines(table).get(3)).isEqualTo("l    short");
    }
}
