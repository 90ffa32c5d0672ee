package org.penumbra.experiments.cli;

import java.io.PrintWriter;
import java.util.List;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.penumbra.experiments.report.Json;
import picocli.CommandLine.Help.Ansi;

/** Where commands print: answers on {@link #out}, everything else on {@link #err}. Used by the thread that runs the command. */
final class Console {
    private final PrintWriter out;
    private final PrintWriter err;
    private final Terminal terminal;
    private boolean json;

    Console(PrintWriter out, PrintWriter err, Terminal terminal) {
        this.out = out;
        this.err = err;
        this.terminal = terminal;
    }

    PrintWriter out() {
        return out;
    }

    PrintWriter err() {
        return err;
    }

    Terminal terminal() {
        return terminal;
    }

    /** Whether the answer is to be JSON. */
    boolean json() {
        return json;
    }

    void json(boolean wanted) {
        json = wanted;
    }

    /** Prints the one answer of a command, in the form the user wants. */
    void answer(Supplier<Object> document, Supplier<List<String>> lines) {
        if (json) {
            out.print(Json.text(document.get()));
        } else {
            lines.get().forEach(out::println);
        }
        out.flush();
    }

    /** Prints a byte of a guest's console, each line as soon as it is complete. */
    void octet(int octet) {
        out.write(octet);
        if (octet == '\n') {
            out.flush();
        }
    }

    /** Prints a line for the user, marked with the program's name, beside the answer. */
    void complain(String message) {
        err.println((ansiErr() ? Ansi.ON.string("@|bold,red penumbra:|@ ") : "penumbra: ") + message);
        err.flush();
    }

    /** What makes the header of a table stand out. */
    UnaryOperator<String> emphasis() {
        return terminal.out() && terminal.colour() ? s -> "\u001b[1m" + s + "\u001b[0m" : UnaryOperator.identity();
    }

    /** Colours for help texts. */
    Ansi ansi() {
        return terminal.out() && terminal.colour() ? Ansi.ON : Ansi.OFF;
    }

    private boolean ansiErr() {
        return terminal.err() && terminal.colour();
    }
}
