package org.penumbra.experiments.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.util.List;
import org.penumbra.experiments.run.FakeContainer;

/** The whole command line over a fake container: arguments in; exit code, output and messages out. */
final class CommandLineFixture {
    final FakeContainer container = new FakeContainer();
    final FakeLateBundles late = new FakeLateBundles();
    /** Of the run that goes on, or went on last. */
    Interrupt interrupt;

    private Terminal terminal = new Terminal(false, false, false, true);
    private StringWriter out;
    private StringWriter err;

    CommandLineFixture terminal(boolean out, boolean err, boolean colour) {
        terminal = new Terminal(false, out, err, colour);
        return this;
    }

    int run(String... arguments) {
        out = new StringWriter();
        err = new StringWriter();
        Console console = new Console(new PrintWriter(out), new PrintWriter(err), terminal);
        Session session = new Session(container.registry, console, f -> new FakeContainer.FakeWorkload(f.toString()),
                () -> interrupt = new Interrupt(), late);
        int code = PenumbraCommand.commandLine(session).execute(arguments);
        console.out().flush();
        console.err().flush();
        return code;
    }

    String out() {
        return out.toString();
    }

    String err() {
        return err.toString();
    }

    List<String> errLines() {
        return err.toString().lines().toList();
    }

    /** All of standard output, which must be one JSON document. */
    JsonNode json() {
        try {
            ObjectMapper mapper = new ObjectMapper();
            return mapper.enable(com.fasterxml.jackson.databind.DeserializationFeature.FAIL_ON_TRAILING_TOKENS).readTree(out());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
