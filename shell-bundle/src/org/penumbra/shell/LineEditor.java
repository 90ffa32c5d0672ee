package org.penumbra.shell;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import java.util.function.Consumer;
import org.apache.felix.service.command.CommandProcessor;
import org.apache.felix.service.command.CommandSession;
import org.apache.felix.service.command.Job;
import org.jline.reader.EndOfFileException;
import org.jline.reader.LineReader;
import org.jline.reader.LineReaderBuilder;
import org.jline.reader.UserInterruptException;
import org.jline.terminal.Terminal;
import org.jline.terminal.TerminalBuilder;

/** The shell on a terminal: prompt, line editing, history, completion. Ctrl-C ends a command, Ctrl-D the shell. */
final class LineEditor implements AutoCloseable {
    private static final String PROMPT = "penumbra> ";
    private static final String MORE = "        > ";

    private final Terminal terminal;
    private final boolean colour;

    LineEditor(boolean colour) throws IOException {
        this.colour = colour;
        Thread thread = Thread.currentThread();
        ClassLoader before = thread.getContextClassLoader();
        // JLine finds its ways to a terminal through the loader of the thread
        thread.setContextClassLoader(TerminalBuilder.class.getClassLoader());
        try {
            // by the programs stty and tty: JLine's native library would be unpacked into the folder for temporary files
            terminal = TerminalBuilder.builder().system(true).provider("exec").dumb(true).nativeSignals(true).build();
        } finally {
            thread.setContextClassLoader(before);
        }
    }

    /** Reads and executes until the person leaves; answers the exit code. */
    int converse(CommandProcessor processor, Container container, Jobs jobs, Notices notices) {
        PrintStream out = new PrintStream(terminal.output(), true, StandardCharsets.UTF_8);
        try (CommandSession session = processor.createSession(terminal.input(), out, out)) {
            Conversation conversation = new Conversation(session, out, out, container, colour);
            LineReader reader = LineReaderBuilder.builder().appName("penumbra").terminal(terminal).parser(TypedLine.parser())
                    .completer(new Completion(container, conversation.catalog(), jobs, session.currentDir()))
                    .variable(LineReader.SECONDARY_PROMPT_PATTERN, MORE)
                    // an exclamation mark is a character like others
                    .option(LineReader.Option.DISABLE_EVENT_EXPANSION, true).build();
            history(reader);
            Consumer<String> before = notices.redirect(reader::printAbove);
            try {
                out.println("Penumbra's shell: 'help' lists the commands, Tab completes, 'exit' or Ctrl-D leaves.");
                return converse(reader, conversation, jobs, out);
            } finally {
                notices.redirect(before);
            }
        }
    }

    private int converse(LineReader reader, Conversation conversation, Jobs jobs, PrintStream out) {
        Set<Integer> announced = new HashSet<>();
        while (true) {
            jobs.unattended().stream().filter(j -> !j.running() && announced.add(j.id()))
                    .forEach(j -> out.println(new Display().format(j.info(), Display.INSPECT, null)));
            try {
                String line = reader.readLine(colour ? "\u001b[1m" + PROMPT + "\u001b[0m" : PROMPT);
                if (!line.isBlank()) {
                    interruptible(conversation, line);
                }
            } catch (UserInterruptException e) {
                // Ctrl-C gives up the line
            } catch (EndOfFileException e) {
                return 0;
            } catch (ExitException e) {
                return e.code();
            }
        }
    }

    /** Ctrl-C ends the command, and not the process. */
    private void interruptible(Conversation conversation, String line) {
        Terminal.SignalHandler before = terminal.handle(Terminal.Signal.INT, s -> {
            Job job = conversation.session().foregroundJob();
            if (job != null) {
                job.interrupt();
            }
        });
        try {
            conversation.execute(line, "");
        } finally {
            terminal.handle(Terminal.Signal.INT, before);
        }
    }

    /** Where the XDG base directory specification puts what a program remembers. */
    private static void history(LineReader reader) {
        String state = System.getenv("XDG_STATE_HOME");
        Path folder = (state == null || state.isEmpty() ? Path.of(System.getProperty("user.home"), ".local", "state")
                : Path.of(state)).resolve("penumbra");
        try {
            Files.createDirectories(folder);
            reader.setVariable(LineReader.HISTORY_FILE, folder.resolve("history"));
        } catch (IOException e) {
            // then it is remembered until the shell ends
        }
    }

    @Override
    public void close() throws IOException {
        terminal.close();
    }
}
