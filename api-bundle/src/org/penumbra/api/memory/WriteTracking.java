package org.penumbra.api.memory;

import org.osgi.annotation.versioning.ProviderType;

/**
 * Requests to see every write to a guest frame, or to some bytes of one: counted per gfn, kept by the machine, obeyed by every MMU, so that they survive
 * the replacement of the MMU. While a gfn is tracked an MMU maps it by 4 KiB and not writable, and answers a write to it with
 * {@link org.penumbra.api.mmu.Resolution#EMULATE}. An MMU protects the tables it shadows by itself; that is derived state.
 * Linux: {@code Documentation/virt/kvm/x86/mmu.rst} and {@code page_track.c}. Any thread.
 */
@ProviderType
public interface WriteTracking {
    /** Sees the writes to tracked frames, after they took effect, on the thread of the vCPU that wrote. */
    @FunctionalInterface
    interface Listener {
        void written(long gpa, int bytes);
    }

    /** An open request. Closing it again has no effect. */
    interface Request extends AutoCloseable {
        @Override
        void close();
    }

    /** True if at least one request for {@code gfn} is open. */
    boolean isTracked(long gfn);

    /** True if any of the {@code count} gfns from {@code firstGfn} is tracked: then no larger page may map them. KVM: {@code disallow_lpage}. */
    boolean anyTracked(long firstGfn, long count);

    /**
     * Of a tracked gfn, which naturally aligned 128 bytes somebody wants to see written: bit i for those from 128 i on. An MMU may let the guest write
     * the others without telling, and need not. 0 if it is not tracked.
     */
    default int trackedSubPages(long gfn) {
        return isTracked(gfn) ? -1 : 0;
    }

    /**
     * Opens a request: from its return until {@code close}, every guest write to {@code gfn} reaches {@code listener}. Existing
     * writable mappings are gone on return.
     */
    Request track(long gfn, Listener listener);

    /**
     * The same for the {@code bytes} bytes from {@code gpa}, within one frame: {@code listener} sees each guest write that touches one of them.
     */
    default Request trackBytes(long gpa, int bytes, Listener listener) {
        return track(gpa >>> 12, (at, written) -> {
            if (at < gpa + bytes && gpa < at + written) {
                listener.written(at, written);
            }
        });
    }
}
