package org.penumbra.experiments.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

/** {@code penumbra hardware list}. */
@Command(
        name = "list",
        description = {
            "Lists the bundled processor models.",
            "",
            "TLBs are given in entries: those of 4 KiB, 2 MiB and 1 GiB pages in the first level; in the second those that page sizes "
                    + "share, those of 1 GiB pages alone (1G), and those of instructions alone (code).",
            ""
        },
        synopsisHeading = "Usage: ",
        optionListHeading = "%nOptions:%n")
final class HardwareListCommand implements Callable<Integer> {
    private final Session session;

    HardwareListCommand(Session session) {
        this.session = session;
    }

    @Override
    public Integer call() {
        Listing hardware = Listing.hardware(session.services());
        session.console().answer(hardware::entries, () -> hardware.lines(session.console().emphasis()));
        return ExitCodes.OK;
    }
}
