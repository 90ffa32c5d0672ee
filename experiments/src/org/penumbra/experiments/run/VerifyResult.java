package org.penumbra.experiments.run;

import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.verify.VerificationReport;

/**
 * What a verification found.
 *
 * @param bundle the bundle of the MMU as "symbolic-name version", or empty
 * @param planned vectors that were asked for
 * @param failure why the machine could not go on; empty if it could
 */
public record VerifyResult(
        VerifyRequest request, Design design, String bundle, CostProfile hardware, long planned, VerificationReport report,
        boolean interrupted, String failure) {}
