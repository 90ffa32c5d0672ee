package org.penumbra.api.memory;

import org.osgi.annotation.versioning.ProviderType;

/**
 * The dirty log as an MMU meets it: kept by the machine, so that it survives the MMU. Any thread.
 */
@ProviderType
public interface DirtyLog {
    /** True while writes to some guest memory are logged. */
    boolean active();

    /** True while writes to {@code gfn} are logged: it is mapped by 4 KiB then, and no write to it may go unnoticed. */
    default boolean logs(long gfn) {
        return active();
    }

    /** {@code gfn} is about to become writable for a write, or was found dirty. Without effect while it is not logged. KVM: {@code mark_page_dirty}. */
    void mark(long gfn);
}
