package org.penumbra.shell;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.StringReader;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class StatementsTest {
    private static List<String> read(String script) throws IOException {
        Statements statements = new Statements(new BufferedReader(new StringReader(script)));
        List<String> read = new ArrayList<>();
        for (Optional<Statements.Statement> s = statements.next(); s.isPresent(); s = statements.next()) {
            read.add(s.get().line() + " " + s.get().text().strip());
        }
        return read;
    }

    @Test
    @DisplayName("P08 a statement of a script ends with its line, unless it leaves a bracket or a quote open")
    void reads() throws IOException {
        assertThat(read("a\n\n# no\n b 1\neach (x) {\n  y\n}\nz 'p\nq'\n(open\n")).containsExactly("1 a", "4 b 1", "5 each (x) {\n  y\n}",
                "8 z 'p\nq'", "10 (open");
    }

    @Test
    @DisplayName("P08 semicolons divide statements; pipes, conditions and brackets do not")
    void splits() {
        assertThat(Statements.split("a 1; b | c; each (d; e) { f; g } ; h && i || j\nk k.l=m")).containsExactly("a 1", "b | c",
                "each (d; e) { f; g }", "h && i || j", "k k.l=m");
        assertThat(Statements.split("run x &")).containsExactly("run x &");
        assertThat(Statements.split("(a")).containsExactly("(a");
    }
}
