package org.penumbra.shell;

import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import org.apache.felix.service.command.CommandProcessor;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.penumbra.api.command.Shell;

/** The shell as {@code penumbra shell} calls it. */
@Component(service = Shell.class)
public final class PenumbraShell implements Shell {
    private static final int FAILED = 1;

    private final CommandProcessor processor;
    private final Container container;
    private final Jobs jobs;
    private final Notices notices;
    private final PrintStream out;
    private final PrintStream err;

    @Activate
    public PenumbraShell(
            @Reference CommandProcessor processor, @Reference Container container, @Reference Jobs jobs, @Reference Notices notices) {
        // not System.out, which Gogo has replaced by one that asks for the session's own stream
        this(processor, container, jobs, notices, stream(FileDescriptor.out), stream(FileDescriptor.err));
    }

    PenumbraShell(
            CommandProcessor processor, Container container, Jobs jobs, Notices notices, PrintStream out, PrintStream err) {
        this.processor = processor;
        this.container = container;
        this.jobs = jobs;
        this.notices = notices;
        this.out = out;
        this.err = err;
    }

    private static PrintStream stream(FileDescriptor descriptor) {
        return new PrintStream(new FileOutputStream(descriptor), true, StandardCharsets.UTF_8);
    }

    @Override
    public int run(String name, InputStream script) {
        // the script is the input of the shell, not of its commands
        try (var session = processor.createSession(InputStream.nullInputStream(), out, err);
                var reader = new BufferedReader(new InputStreamReader(script, StandardCharsets.UTF_8))) {
            Conversation conversation = new Conversation(session, out, err, container, false);
            int code = run(name, new Statements(reader), conversation);
            return code == 0 ? waitForJobs(name, conversation) : code;
        } catch (ExitException e) {
            return e.code();
        } catch (IOException e) {
            err.println("penumbra: " + name + ": cannot be read: " + e.getMessage());
            return FAILED;
        } finally {
            jobs.cancelAll();
            out.flush();
        }
    }

    /** What a script has started and nobody has asked for is shown at its end. */
    private int waitForJobs(String name, Conversation conversation) {
        int worst = 0;
        for (Job job : jobs.unattended()) {
            worst = Math.max(worst, conversation.execute("penumbra:wait " + job.id(), name));
        }
        return worst;
    }

    private static int run(String name, Statements statements, Conversation conversation) throws IOException {
        for (Optional<Statements.Statement> s = statements.next(); s.isPresent(); s = statements.next()) {
            int code = conversation.execute(s.get().text(), name.isEmpty() ? "" : name + ":" + s.get().line());
            if (code != 0) {
                return code;
            }
        }
        return 0;
    }

    @Override
    public int interact(boolean colour) {
        try (LineEditor editor = new LineEditor(colour)) {
            return editor.converse(processor, container, jobs, notices);
        } catch (IOException e) {
            err.println("penumbra: the terminal cannot be used: " + e.getMessage());
            return FAILED;
        } finally {
            jobs.cancelAll();
        }
    }
}
