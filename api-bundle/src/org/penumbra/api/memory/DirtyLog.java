package org.penumbra.api.memory;

import org.osgi.annotation.versioning.ProviderType;

/**
 * The dirty log as an MMU meets it: kept by the machine, so that it survives the MMU. Any thread.
 */
@ProviderType
public interface DirtyLog {
    /** True while writes are logged: guest memory is mapped by 4 KiB then, and no write may go unnoticed. */
    boolean active();

    /** {@code gfn} is about to become writable for a write, or was found dirty. Without effect while not active. KVM: {@code mark_page_dirty}. */
    void mark(long gfn);
}
