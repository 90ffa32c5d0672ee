package org.penumbra.experiments.run;

import java.util.List;
import java.util.Optional;

/**
 * What has come of a plan so far. Immutable.
 *
 * @param interrupted a person stopped the campaign before its end
 */
public record CampaignResult(
        Plan plan, List<TrialResult> finished, List<TrialFailure> failures, List<Timing> timings, boolean interrupted) {
    public CampaignResult {
        finished = List.copyOf(finished);
        failures = List.copyOf(failures);
        timings = List.copyOf(timings);
    }

    /**
     * The result of the same workload and seed without a hypervisor, if that trial has finished. A kernel that went another way there, since it
     * looks for devices, did not do the same work.
     */
    public Optional<TrialResult> nativeOf(TrialResult result) {
        Trial t = result.trial();
        return finished.stream().filter(r -> r.trial().design().name().equals(Design.NATIVE) && r.trial().asked().equals(t.asked()))
                .filter(r -> r.trial().guest().equals(t.guest())
                        || r.operations() == result.operations() && r.guestDigest() == result.guestDigest())
                .findFirst();
    }

    /** The result of the same guest left alone, for the result of a trial of swaps; empty if that trial has not finished, or is this one. */
    public Optional<TrialResult> undisturbed(TrialResult result) {
        return finished.stream().filter(r -> r != result && r.trial().course() != null && r.trial().course().designs().isEmpty()
                && r.trial().guest().equals(result.trial().guest())).findFirst();
    }

    /** True if what TLBs and walks did and cost, and so the cycles of a whole guest, were measured. */
    public boolean measuresTranslation() {
        return plan.hardware().modelsTlbs();
    }

    /** Simulated cycles in units of what the same guest took without a hypervisor, if that is known. */
    public Optional<Double> overhead(TrialResult result) {
        return !measuresTranslation() ? Optional.empty() : nativeOf(result).map(n -> (double) result.cycles() / n.cycles());
    }

    /** Translations outside what the architecture allows, over all checked trials. */
    public long wrong() {
        return finished.stream().filter(r -> r.check() != null).mapToLong(r -> r.check().wrong()).sum();
    }
}
