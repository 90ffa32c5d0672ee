package org.penumbra.experiments.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.penumbra.experiments.run.CampaignResult;
import org.penumbra.experiments.run.Timing;

/** {@code timings.json}: how long Penumbra took, in wall time. Differs from run to run. */
final class TimingsJson {
    private TimingsJson() {}

    static Map<String, Object> document(CampaignResult campaign) {
        List<Map<String, Object>> trials = new ArrayList<>();
        double total = 0;
        for (Timing t : campaign.timings()) {
            double seconds = t.duration().toNanos() / 1e9;
            total += seconds;
            Map<String, Object> trial = RunJson.object("trial", t.trial().number(), "workload", t.trial().workload().name(), "design",
                    t.trial().designs(), "seed", t.trial().seed(), "started", t.started().toString(), "ended",
                    t.started().plus(t.duration()).toString(), "seconds", seconds);
            if (t.trial().swapped()) {
                trial.put("swap_pauses", PauseHistogram.summary(t.pauseNanos()));
            }
            trials.add(trial);
        }
        return RunJson.object("total_seconds", total, "trials", trials);
    }
}
