package org.penumbra.shell;

import java.util.ArrayList;
import java.util.List;
import org.jline.reader.CompletingParsedLine;
import org.jline.reader.EOFError;
import org.jline.reader.ParsedLine;
import org.jline.reader.Parser;

/**
 * A line that is being typed, as completion sees it: the words of the command that the cursor is in. A pipe, a semicolon or an
 * opening bracket begins a command.
 */
record TypedLine(String line, int cursor, List<String> words, int wordIndex, int wordCursor) implements CompletingParsedLine {
    private static final String SEPARATORS = "|;&({\n=";

    @Override
    public String word() {
        return words.get(wordIndex);
    }

    /** No name that is completed has a character that needs a quote, but for spaces in names of files. */
    @Override
    public CharSequence escape(CharSequence candidate, boolean complete) {
        return candidate.toString().contains(" ") ? "'" + candidate + "'" : candidate;
    }

    @Override
    public int rawWordCursor() {
        return wordCursor;
    }

    @Override
    public int rawWordLength() {
        return word().length();
    }

    /** For JLine. A line that leaves a bracket or a quote open is not accepted yet: it goes on in the next. */
    static Parser parser() {
        return new Parser() {
            @Override
            public ParsedLine parse(String line, int cursor, ParseContext context) {
                if (context == ParseContext.ACCEPT_LINE && !Statements.complete(line)) {
                    throw new EOFError(-1, cursor, "more is needed", "");
                }
                return of(line, cursor);
            }
        };
    }

    /** The command that {@code cursor} is in, up to there. */
    static TypedLine of(String line, int cursor) {
        List<String> words = new ArrayList<>();
        StringBuilder word = new StringBuilder();
        char quote = 0;
        for (int i = 0; i < cursor; i++) {
            char c = line.charAt(i);
            // a = inside a word belongs to a setting; one on its own assigns the result of a command
            boolean separates = SEPARATORS.indexOf(c) >= 0 && (c != '=' || word.isEmpty());
            if (quote != 0) {
                quote = c == quote ? 0 : quote;
                word.append(c);
            } else if (c == '"' || c == '\'') {
                quote = c;
                word.append(c);
            } else if (separates) {
                words.clear();
                word.setLength(0);
            } else if (Character.isWhitespace(c) || c == ')' || c == '}') {
                if (!word.isEmpty()) {
                    words.add(word.toString());
                }
                word.setLength(0);
            } else {
                word.append(c);
            }
        }
        words.add(word.toString());
        return new TypedLine(line, cursor, List.copyOf(words), words.size() - 1, word.length());
    }
}
