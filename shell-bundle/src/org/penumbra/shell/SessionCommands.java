package org.penumbra.shell;

import java.util.Optional;
import org.apache.felix.service.command.CommandSession;
import org.apache.felix.service.command.Descriptor;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/** Commands on the shell itself. */
@Component(service = SessionCommands.class, property = {
    "osgi.command.scope=penumbra", "osgi.command.function=help", "osgi.command.function=sleep", "osgi.command.function=exit"
})
public final class SessionCommands {
    private final Container container;

    @Activate
    public SessionCommands(@Reference Container container) {
        this.container = container;
    }

    @Descriptor("says what commands there are, or how to use one of them")
    public String help(CommandSession session, @Descriptor("[COMMAND] its name") String... command) throws Exception {
        if (command.length > 1) {
            throw new UserError("help takes one command at most, not " + command.length);
        }
        Catalog catalog = new Catalog(container, session);
        if (command.length == 0) {
            return catalog.overview();
        }
        Optional<Usage> usage = catalog.usage(command[0]);
        return usage.isPresent() ? usage.get().text() : catalog.foreign(command[0]);
    }

    @Descriptor("does nothing for a while")
    public void sleep(@Descriptor("SECONDS how long; fractions will do") String seconds) throws InterruptedException {
        Thread.sleep((long) (Arguments.seconds(seconds) * 1000));
    }

    @Descriptor("leaves the shell; jobs that run are cancelled")
    public void exit(@Descriptor("[CODE] the exit code, 0 if left out") String... code) {
        if (code.length > 1 || code.length == 1 && !code[0].matches("\\d{1,3}")) {
            throw new UserError("exit takes a number from 0 to 255 at most");
        }
        throw new ExitException(code.length == 0 ? 0 : Integer.parseInt(code[0]) & 0xff);
    }
}
