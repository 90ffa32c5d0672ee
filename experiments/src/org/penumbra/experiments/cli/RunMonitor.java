package org.penumbra.experiments.cli;

import java.io.IOException;
import java.util.HashSet;
import java.util.Set;
import org.penumbra.api.machine.Machine;
import org.penumbra.experiments.report.ResultsFolder;
import org.penumbra.experiments.run.CampaignListener;
import org.penumbra.experiments.run.CampaignResult;
import org.penumbra.experiments.run.FileErrors;
import org.penumbra.experiments.run.Plan;
import org.penumbra.experiments.run.Trial;
import org.penumbra.experiments.run.TrialFailure;

/** While trials run: shows progress to a person, reports each failure when it happens, keeps the results folder up to date. */
final class RunMonitor implements CampaignListener {
    private final Session session;
    private final ResultsFolder folder;
    private final EventOptions.Files events;
    private final boolean stacktrace;
    private final CampaignListener progress;
    private final Set<String> reasons = new HashSet<>();
    private int reported;
    private int alike;
    private String writeFailure;

    /** @param folder null if nothing is to be written */
    RunMonitor(Session session, Plan plan, ResultsFolder folder, EventOptions.Files events, boolean quiet, boolean stacktrace) {
        this.session = session;
        this.folder = folder;
        this.events = events;
        this.stacktrace = stacktrace;
        boolean shown = !quiet && session.console().terminal().err();
        this.progress = shown ? new ProgressLine(session.console(), plan) : new CampaignListener() {};
    }

    @Override
    public void started(Trial trial) {
        progress.started(trial);
    }

    @Override
    public AutoCloseable running(Trial trial, Machine machine) {
        return events.listen(trial, machine);
    }

    @Override
    public void progress(Trial trial, long operations) {
        progress.progress(trial, operations);
    }

    @Override
    public void ended(CampaignResult soFar) {
        progress.ended(soFar);
        for (; reported < soFar.failures().size(); reported++) {
            report(soFar.failures().get(reported));
        }
        write(soFar);
    }

    @Override
    public void finished(CampaignResult result) {
        progress.finished(result);
        if (alike > 0) {
            session.console().complain(alike + " more " + (alike == 1 ? "trial" : "trials") + " failed for reasons given above");
        }
        result.finished().stream().filter(r -> !r.replacements().isEmpty()).forEach(r -> session.console().complain(
                r.trial().title() + ": its design was replaced " + r.replacements().size() + " times while it ran, so its figures are of more than one"));
        write(result);
    }

    /** Each reason once: too little memory fails every trial alike. */
    private void report(TrialFailure failure) {
        if (!reasons.add(failure.message())) {
            alike++;
            return;
        }
        session.console().complain(failure.trial().title() + " failed: " + failure.message());
        if (stacktrace) {
            failure.cause().printStackTrace(session.console().err());
        }
    }

    /** Whether the results folder lacks what has finished. */
    boolean writeFailed() {
        return writeFailure != null;
    }

    /** A full disk does not end the run: its results can still be printed, and the disk may have room at the next attempt. */
    private void write(CampaignResult result) {
        if (folder == null) {
            return;
        }
        try {
            folder.write(result, session.services().bundles());
            writeFailure = null;
        } catch (IOException e) {
            String failure = FileErrors.describe(e);
            if (!failure.equals(writeFailure)) {
                session.console().complain("results are not written: " + failure);
            }
            writeFailure = failure;
        }
    }
}
