package org.penumbra.experiments.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.penumbra.api.verify.Nesting;
import org.penumbra.api.verify.VerificationReport;
import org.penumbra.experiments.run.VerifyRequest;
import org.penumbra.experiments.run.VerifyResult;

/** What a verification found, for people and as a JSON document. Without wall time, so that a rerun compares equal. */
public final class VerifyReport {
    private VerifyReport() {}

    /** "ept", or "ept on shadow" for a guest hypervisor with EPT on a machine with shadow paging. */
    public static String arrangement(String mmu, Nesting nesting) {
        return nesting == Nesting.NONE ? mmu : nesting.label() + " on " + mmu;
    }

    /** The document. */
    public static Map<String, Object> document(VerifyResult result) {
        VerifyRequest q = result.request();
        VerificationReport r = result.report();
        return RunJson.object(
                "verification", q.verification(), "mmu", q.mmu(), "nested", q.nesting().label(), "bundle", result.bundle(), "mode", q.mode(),
                "hardware", result.hardware().name(), "maxphyaddr", (long) result.hardware().figure("cpu.maxphyaddr"),
                "figures", q.figures(), "settings", result.design().changedSettings(),
                "first", q.first(), "sample", q.sample(), "seed", q.seed(), "vectors", r.vectors(), "planned", result.planned(), "run", r.run(), "skipped", r.skipped(),
                "disagreements", r.disagreements(), "details", r.details().stream().map(d -> RunJson.object(
                        "vector", d.vector(), "situation", d.situation(), "found", d.found())).toList(),
                "interrupted", result.interrupted(), "failure", result.failure());
    }

    /** A table of counts. */
    public static List<String> lines(VerifyResult result, UnaryOperator<String> emphasis) {
        VerifyRequest q = result.request();
        VerificationReport r = result.report();
        List<String> lines = new ArrayList<>(List.of(
                q.verification() + " in mode " + q.mode() + " under " + arrangement(q.mmu(), q.nesting()) + ", on " + result.hardware().name(), ""));
        ConsoleTable table = new ConsoleTable("lrl", "Vectors", "Number", "Why");
        table.row("exist", Figures.count(r.vectors()), Figures.NONE);
        table.row("were run", Figures.count(r.run()), Figures.NONE);
        r.skipped().forEach((why, number) -> table.row("skipped", Figures.count(number), why));
        table.row("disagree", Figures.count(r.disagreements()), Figures.NONE);
        lines.addAll(table.lines(emphasis));
        return lines;
    }
}
