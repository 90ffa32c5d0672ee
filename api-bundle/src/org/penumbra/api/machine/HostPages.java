package org.penumbra.api.machine;

import org.osgi.annotation.versioning.ProviderType;

/**
 * What a host's memory management does to the pages behind a guest while it runs. Each event goes through the notifier: the MMU
 * drops every translation of the frame, faults that raced retry, and the guest notices nothing. Any thread but those of the
 * machine's own vCPUs; events of one machine happen one after the other.
 *
 * <p>A frame that the host never provided, or that is swapped out already, is left alone. A host page of 2 MiB is split before one of
 * its frames is moved. An event concerns the page: guest frames of other slots that show it (aliases) take part.
 */
@ProviderType
public interface HostPages {
    /** One more than the machine's last guest frame; between slots there may be frames that no slot has. */
    long frames();

    /** Moves the contents of {@code gfn} to swap; the next use brings them back. Answers false if there was nothing to do. */
    boolean swapOut(long gfn);

    /** Moves {@code gfn} to another host frame. Answers false if there was nothing to do. */
    boolean migrate(long gfn);

    /**
     * Lets two guest frames of equal contents share one host frame until one of them is written. Linux: KSM. Answers false if their
     * contents differ or one is not there.
     */
    boolean merge(long gfn, long other);

    /**
     * Puts the 2 MiB around {@code gfn}, as far apart as their frames may lie, into one host page of 2 MiB. Linux: khugepaged's
     * {@code collapse_huge_page}. Pages in swap come back, unused ones are provided. Answers false if it is one page already, if a
     * frame in it is shared, if none was used yet, or if the host has no 2 MiB in one piece.
     */
    boolean collapse(long gfn);

    /** Maps the host page of 2 MiB around {@code gfn} by 4 KiB from now on. Linux: {@code split_huge_pmd}. False if there is none. */
    boolean split(long gfn);

    /**
     * True if the guest accessed {@code gfn} since the last call for it, as far as the MMU can tell; see
     * {@link org.penumbra.api.mmu.PageAgeing#age}; under a design that cannot tell, every page may have been. Linux: {@code
     * mmu_notifier_clear_flush_young}.
     */
    boolean young(long gfn);

    /** The same without beginning anew. Linux: {@code mmu_notifier_test_young}. */
    boolean testYoung(long gfn);
}
