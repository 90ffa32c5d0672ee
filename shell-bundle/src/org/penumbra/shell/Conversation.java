package org.penumbra.shell;

import java.io.PrintStream;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.felix.service.command.CommandSession;
import org.apache.felix.service.command.Converter;

/** Executes statements in one session: prints each result on {@code out}, and a line on {@code err} for each that fails. */
final class Conversation {
    private static final int OK = 0;
    private static final int FAILED = 1;
    /** What is typed out of habit, since most commands outside this shell know it. */
    private static final Pattern HELP = Pattern.compile("\\s*([\\w:-]+)\\s+(--help|-h)\\s*");

    private final CommandSession session;
    private final PrintStream out;
    private final PrintStream err;
    private final Catalog catalog;
    private final boolean colour;

    Conversation(CommandSession session, PrintStream out, PrintStream err, Container container, boolean colour) {
        this.session = session;
        this.out = out;
        this.err = err;
        this.catalog = new Catalog(container, session);
        this.colour = colour;
        session.put("SCOPE", Catalog.SCOPES);
    }

    CommandSession session() {
        return session;
    }

    Catalog catalog() {
        return catalog;
    }

    /**
     * Executes the statements in {@code text} up to the first that fails; answers an exit code.
     *
     * @param where what messages begin with, "script:3" for example; empty if the person has just typed it
     * @throws ExitException if it is to be the last one
     */
    int execute(String text, String where) {
        for (String statement : Statements.split(text)) {
            int code = executeOne(statement, where);
            if (code != OK) {
                return code;
            }
        }
        return OK;
    }

    private int executeOne(String statement, String where) {
        try {
            Matcher help = HELP.matcher(statement);
            Object result = session.execute(help.matches() && catalog.usage(help.group(1)).isPresent()
                    ? Catalog.SCOPE + ":help " + help.group(1) : statement);
            // what grep answers at the end of a pipe is whether it found something
            String text = result == null || result instanceof Boolean && statement.contains("|") ? ""
                    : session.format(result, Converter.INSPECT).toString().stripTrailing();
            if (!text.isEmpty()) {
                out.println(text);
            }
            return OK;
        } catch (ExitException e) {
            throw e;
        } catch (Exception | LinkageError | AssertionError e) {
            session.put("exception", e);
            if (e instanceof JobFailedException job && !job.output().isEmpty()) {
                out.println(job.output());
            }
            complain((where.isEmpty() ? "" : where + ": ") + new ErrorLine(catalog).of(e));
            return FAILED;
        } finally {
            out.flush();
        }
    }

    void complain(String line) {
        out.flush();
        err.println((colour ? "\u001b[1;31mpenumbra:\u001b[0m " : "penumbra: ") + line);
        err.flush();
    }
}
