package org.penumbra.shell;

import java.io.BufferedReader;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.felix.gogo.runtime.EOFError;
import org.apache.felix.gogo.runtime.Parser;
import org.apache.felix.gogo.runtime.SyntaxError;
import org.apache.felix.gogo.runtime.Token;

/** Cuts a script into statements that are executed one by one, since Gogo shows the result of the last one only. */
final class Statements {
    /** A line of the script, or several if one leaves a bracket or a quote open, and the number of the first, from 1. */
    record Statement(String text, int line) {}

    private final BufferedReader script;
    private int line;

    Statements(BufferedReader script) {
        this.script = script;
    }

    /** The next one; empty at the end. */
    Optional<Statement> next() throws IOException {
        StringBuilder text = new StringBuilder();
        int first = 0;
        for (String next = script.readLine(); next != null; next = script.readLine()) {
            line++;
            if (text.isEmpty() && (next.isBlank() || next.strip().startsWith("#"))) {
                continue;
            }
            first = text.isEmpty() ? line : first;
            text.append(next).append('\n');
            if (complete(text)) {
                return Optional.of(new Statement(text.toString(), first));
            }
        }
        return text.isEmpty() ? Optional.empty() : Optional.of(new Statement(text.toString(), first));
    }

    /** The statements of {@code text}: what semicolons and ends of lines divide. All of it if it cannot be read. */
    static List<String> split(String text) {
        List<String> statements = new ArrayList<>();
        StringBuilder statement = new StringBuilder();
        try {
            for (Token token : new Parser(text).program().tokens()) {
                if (token instanceof Parser.Operator && (token.toString().equals(";") || token.toString().isBlank())) {
                    statements.add(statement.toString());
                    statement.setLength(0);
                } else {
                    statement.append(statement.isEmpty() ? "" : " ").append(token);
                }
            }
        } catch (SyntaxError e) {
            return List.of(text);
        }
        statements.add(statement.toString());
        return statements.stream().filter(s -> !s.isBlank()).toList();
    }

    /** Whether nothing is left open. What is wrong in another way is complete: its execution says what is wrong. */
    static boolean complete(CharSequence text) {
        try {
            new Parser(text).program();
            return true;
        } catch (EOFError e) {
            return false;
        } catch (SyntaxError e) {
            return true;
        }
    }
}
