package org.penumbra.testkit.contract;

/**
 * What became of one property.
 *
 * @param property its name
 * @param runs how often it was tried; 0 if it has no meaning for the subject
 * @param seed the seed of the first run that failed; a run with it alone fails again. 0 if none failed
 * @param configuration what that run tried
 * @param reason one line; empty if no run failed
 */
public record PropertyResult(String property, int runs, long seed, String configuration, String reason) {
    /** True if no run failed. */
    public boolean held() {
        return reason.isEmpty();
    }
}
