package org.penumbra.experiments.run;

import java.util.Map;
import org.penumbra.api.verify.Nesting;

/**
 * What a person asks a verification for.
 *
 * @param mmu the design, by the name that {@link Designs} gives it
 * @param nesting under which guest hypervisor
 * @param mode the label of a {@link org.penumbra.api.paging.PagingMode}
 * @param hardware a bundled processor model or a file
 * @param figures figures of it that are changed, by key
 * @param first number of the first vector
 * @param most so many vectors at most
 * @param sample so many are chosen by {@code seed}; 0 for all
 */
public record VerifyRequest(
        String verification, String mmu, Nesting nesting, String mode, String hardware, Map<String, Long> figures, Map<String, String> settings, long first,
        long most, long sample, long seed) {}
