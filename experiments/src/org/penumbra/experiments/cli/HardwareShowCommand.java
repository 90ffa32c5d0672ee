package org.penumbra.experiments.cli;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.clock.CostProfile.Figure;
import org.penumbra.experiments.report.ConsoleTable;
import org.penumbra.experiments.report.Figures;
import org.penumbra.experiments.report.RunJson;
import org.penumbra.experiments.run.Planner;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code penumbra hardware show}. */
@Command(
        name = "show",
        description = {"Shows every figure of a processor model, and where it was published.", ""},
        synopsisHeading = "Usage: ",
        parameterListHeading = "",
        optionListHeading = "%nOptions:%n",
        footerHeading = "%nExamples:%n",
        footer = {
            "  penumbra hardware show skylake",
            "  penumbra hardware show my-processor.json     is it a model that 'run --hardware' takes?"
        },
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {"0:shown", "2:there is no such model, or the file is none"})
final class HardwareShowCommand implements Callable<Integer> {
    private final Session session;

    @Parameters(paramLabel = "NAME|FILE.json", description = "A bundled model, or a file of the same form.")
    private String model;

    HardwareShowCommand(Session session) {
        this.session = session;
    }

    @Override
    public Integer call() {
        Planner.Hardware hardware = new Planner(session.services(), session.traceWorkload()).hardware(model);
        session.console().answer(() -> RunJson.hardware(hardware.profile(), hardware.source()), () -> lines(hardware.profile()));
        return ExitCodes.OK;
    }

    private List<String> lines(CostProfile profile) {
        List<Figure> figures = profile.figures();
        Map<String, List<Figure>> groups = figures.stream()
                .collect(Collectors.groupingBy(f -> f.key().substring(0, f.key().indexOf('.')), LinkedHashMap::new, Collectors.toList()));
        ConsoleTable table = new ConsoleTable("lrll", "Figure", "Value", "Unit", "Source");
        groups.values().forEach(group -> {
            if (!table.isEmpty()) {
                table.row("", "", "", "");
            }
            group.forEach(f -> table.row(f.key(), Figures.count(f.value()), f.unit(), f.source()));
        });
        long estimates = figures.stream().filter(f -> f.source().startsWith("estimate:")).count();
        List<String> lines = new ArrayList<>(List.of(profile.name() + ": " + profile.description(),
                profile.vendor().label() + ", " + profile.year() + "; " + figures.size() + " figures, " + estimates + " of them estimates", ""));
        lines.addAll(table.lines(session.console().emphasis()));
        return lines;
    }
}
