package org.penumbra.shell;

import java.io.EOFException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.felix.gogo.runtime.CommandNotFoundException;
import org.apache.felix.gogo.runtime.SyntaxError;
import org.penumbra.api.interrupt.ErrnoException;
import org.penumbra.api.machine.MachineException;

/** What went wrong, in one line for a person. */
final class ErrorLine {
    private static final Pattern NO_SUCH_METHOD = Pattern.compile("Cannot coerce _?([\\w-]+)\\(.*");

    private final Catalog catalog;

    ErrorLine(Catalog catalog) {
        this.catalog = catalog;
    }

    String of(Throwable failure) {
        return text(failure).strip().replaceAll("\\s*\\R\\s*", "; ");
    }

    private String text(Throwable failure) {
        if (failure instanceof CommandNotFoundException e) {
            return catalog.unknown(e.getCommand()).getMessage();
        }
        if (failure instanceof EOFException || failure instanceof SyntaxError) {
            return "cannot be read as a command: " + failure.getMessage();
        }
        if (failure instanceof InterruptedException) {
            return "interrupted";
        }
        String message = failure.getMessage();
        if (message == null || message.isBlank()) {
            return failure.getClass().getSimpleName();
        }
        Matcher arguments = NO_SUCH_METHOD.matcher(message);
        if (failure instanceof IllegalArgumentException && arguments.matches()) {
            return catalog.usage(arguments.group(1)).map(u -> "these arguments do not fit; usage: " + u.synopsis())
                    .orElse(arguments.group(1) + ": no such method, or these arguments do not fit it");
        }
        boolean forPeople = failure instanceof UserError || failure instanceof MachineException || failure instanceof ErrnoException
                || failure instanceof JobFailedException;
        return forPeople ? message : failure.getClass().getSimpleName() + ": " + message;
    }
}
