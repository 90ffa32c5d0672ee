package org.penumbra.experiments.cli;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.penumbra.api.verify.DesignCheck;
import org.penumbra.api.verify.DesignCheck.Row;
import org.penumbra.api.verify.Nesting;
import org.penumbra.experiments.report.ConsoleTable;
import org.penumbra.experiments.report.Figures;
import org.penumbra.experiments.report.RunJson;
import org.penumbra.experiments.run.Design;
import org.penumbra.experiments.run.Designs;
import org.penumbra.experiments.run.RefusedException;
import org.penumbra.experiments.run.Suggestions;
import org.penumbra.experiments.run.Verifier;

/** {@code penumbra verify} with a check of whole designs. */
final class DesignChecking {
    private final Session session;
    private final DesignCheck check;
    private final String name;
    private final boolean quiet;

    DesignChecking(Session session, DesignCheck check, String name, boolean quiet) {
        this.session = session;
        this.check = check;
        this.name = name;
        this.quiet = quiet;
    }

    /**
     * Runs the check and prints its rows.
     *
     * @param mmu the design as a person named it
     * @param nesting under which guest hypervisor
     * @return the exit code
     */
    int run(String mmu, Nesting nesting, Map<String, String> settings, List<String> only, long seed, int effort) {
        for (String chosen : only) {
            if (!check.names().contains(chosen)) {
                throw new RefusedException("--only: " + Suggestions.unknown("name", chosen, check.names()));
            }
        }
        String design = "";
        Map<String, String> changed = Map.of();
        if (check.ofOneDesign()) {
            Design selected = new Designs(session.services()).select(List.of(mmu), settings, "--mmu").get(0);
            if (selected.mmu().isEmpty()) {
                throw new RefusedException("--mmu: " + name + " is about a design with an MMU; 'penumbra list designs' names them");
            }
            Verifier.requireNesting(session.services(), selected, nesting);
            design = selected.mmu();
            changed = selected.changedSettings();
        } else if (!settings.isEmpty()) {
            throw new RefusedException("--set: " + name + " has subjects of its own, with their defaults");
        }
        List<Row> rows = new ArrayList<>();
        boolean interrupted;
        try (Interrupt interrupt = session.interrupts().get()) {
            StatusLine status = new StatusLine(session.console(), quiet);
            int planned = only.isEmpty() ? check.names().size() : only.size();
            status.show(name, 0, 0);
            check.run(new DesignCheck.Request(design, changed, only, seed, effort, nesting), row -> {
                rows.add(row);
                double share = (double) rows.size() / planned;
                status.show(name + ": " + row.subject() + ", " + row.what(), share, share);
            }, interrupt::asked);
            status.clear();
            interrupted = interrupt.asked();
        } catch (IllegalArgumentException e) {
            throw new RefusedException(e.getMessage());
        }
        session.console().answer(() -> document(rows), () -> lines(rows));
        return judge(rows, interrupted);
    }

    private Map<String, Object> document(List<Row> rows) {
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("check", name);
        document.put("rows", rows.stream().map(r -> RunJson.object("subject", r.subject(), "property", r.what(), "runs", r.runs(), "seed",
                r.seed(), "finding", r.finding(), "good", r.good(), "applicable", applicable(r))).toList());
        return document;
    }

    /** A check that made no run has found nothing good. */
    private static boolean applicable(Row r) {
        return r.runs() > 0 || !r.good();
    }

    private static String verdict(Row r) {
        return !applicable(r) ? "not applicable" : r.good() ? "good" : "WRONG";
    }

    private List<String> lines(List<Row> rows) {
        ConsoleTable table = new ConsoleTable("llrrll", "Subject", "Property", "Runs", "Seed", "Verdict", "Found");
        for (Row r : rows) {
            table.row(r.subject(), r.what().isEmpty() ? Figures.NONE : r.what(), Figures.count(r.runs()),
                    r.seed() == 0 ? Figures.NONE : String.valueOf(r.seed()), verdict(r),
                    r.finding().isEmpty() ? Figures.NONE : r.finding());
        }
        return table.lines(session.console().emphasis());
    }

    private int judge(List<Row> rows, boolean interrupted) {
        long wrong = rows.stream().filter(r -> !r.good()).count();
        if (wrong > 0) {
            session.console().complain(wrong + " of " + rows.size() + " rows are not as they should be; --only NAME --seed N --effort 1 repeats one");
        }
        if (interrupted) {
            session.console().complain("interrupted after " + rows.size() + " rows");
            return ExitCodes.INTERRUPTED;
        }
        return wrong > 0 ? ExitCodes.WRONG : ExitCodes.OK;
    }
}
