package org.penumbra.api.machine;

import org.osgi.annotation.versioning.ProviderType;

/**
 * What a host's memory management does to the pages behind a guest while it runs. Each event goes through the notifier: the MMU
 * drops every translation of the frame, faults that raced retry, and the guest notices nothing. Any thread but those of the
 * machine's own vCPUs; events of one machine happen one after the other.
 *
 * <p>A frame that the host never provided, or that is swapped out already, is left alone. Host pages of 2 MiB are split first.
 */
@ProviderType
public interface HostPages {
    /** Guest frames of the machine. */
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
}
