package org.penumbra.api.mmu;

import org.osgi.annotation.versioning.ConsumerType;
import org.penumbra.api.clock.CycleClock;

/**
 * An ability of an {@link Mmu}: it lets no write to guest memory go unnoticed while
 * {@link org.penumbra.api.memory.DirtyLog#active}. It marks a frame when it makes it writable for a write, or relies on dirty
 * flags that the processor sets and {@link #collectDirty} finds. An MMU that is made while logging goes on starts that way. All
 * methods are called while no vCPU runs; the caller flushes the TLBs of every vCPU afterwards.
 */
@ConsumerType
public interface DirtyLogging {
    /**
     * True if the design wants the processor to log each dirty flag that it sets, while there is a dirty log: the hypervisor keeps
     * the page-modification log and puts what is in it into the dirty log, so that {@link #collectDirty} need not look for flags. It
     * is offered with {@link org.penumbra.api.paging.TranslationRoot.TwoDimensional} only. Constant for the life of the MMU. KVM:
     * {@code kvm_cpu_dirty_log_size}.
     */
    default boolean usesModificationLog() {
        return false;
    }

    /** Logging has begun: the next write to any frame must be noticed. Large mappings are given up. */
    void startDirtyLog(CycleClock clock);

    /** Logging has ended. */
    void stopDirtyLog(CycleClock clock);

    /** Marks every frame that only the MMU's structures know to be dirty. */
    void collectDirty(CycleClock clock);

    /** {@code gfn} was harvested: the next write to it must be noticed again. KVM: {@code kvm_arch_mmu_enable_log_dirty_pt_masked}. */
    void rearmDirty(long gfn, CycleClock clock);
}
