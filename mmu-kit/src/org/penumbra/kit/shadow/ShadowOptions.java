package org.penumbra.kit.shadow;

import org.penumbra.kit.PageLimit;

/**
 * The mechanisms of shadow paging, and which of them are used.
 *
 * @param unsync the guest may write its leaf tables without an exit until it flushes
 * @param floodingDetection an upper table is shadowed no longer after three emulated writes without a use
 * @param previousRoots how many shadow roots a vCPU keeps besides the current one
 * @param largePages 2 MiB sptes where guest, host and the tables around allow them
 * @param prefetch with a fault's spte the empty ones of the same eight are filled as far as the guest has accessed them before
 * @param invlpgPrefetch the spte of an invalidated address is filled at once
 * @param pageLimit the most shadow pages besides roots; 0: 20 for 1000 frames that the guest has, at least {@link PageLimit#LEAST}
 * @param reclaim shadow pages are recycled when host memory is exhausted
 * @param nxHugePages nothing is executed from 2 MiB sptes
 * @param nxRecoveryPeriod simulated cycles after which a part of what a fetch has split is given up; 0: never
 * @param cr3Targets roots are offered to the guest to load without an exit
 * @param singleLock every fault is served alone
 * @param deprivileged the guest's kernel runs at CPL 3 without VMX, with roots of its own
 */
public record ShadowOptions(
        boolean unsync,
        boolean floodingDetection,
        int previousRoots,
        boolean largePages,
        boolean prefetch,
        boolean invlpgPrefetch,
        long pageLimit,
        boolean reclaim,
        boolean nxHugePages,
        long nxRecoveryPeriod,
        boolean cr3Targets,
        boolean singleLock,
        boolean deprivileged) {
    /** KVM: KVM_PERMILLE_MMU_PAGES. */
    private static final long PER_MILLE = 20;

    /** The most shadow pages besides roots of a guest that has {@code frames}. KVM: kvm_arch_commit_memory_region. */
    long pageLimit(long frames) {
        return pageLimit != 0 ? pageLimit : Math.max(PageLimit.LEAST, frames * PER_MILLE / 1000);
    }
}
