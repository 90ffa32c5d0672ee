package org.penumbra.kit.shadow;

/**
 * The page that one vCPU last found to be no memory, so that the emulation of the access, and the next access to the device, need no
 * walk. Legal as a cached translation is, and forgotten like one. KVM: {@code vcpu_cache_mmio_info}. Used by the vCPU's thread.
 */
final class MmioCache {
    private static final long NOTHING = -1;

    private long page = NOTHING;
    private long gfn;
    private int rights;
    private long generation;

    /** The page of {@code gva} is {@code frame}, which no slot has, reached with {@code granted} rights. */
    void remember(long gva, long frame, int granted, long slots) {
        page = gva >>> 12;
        gfn = frame;
        rights = granted;
        generation = slots;
    }

    /** The gfn behind {@code gva}, or −1 if it is not known under the generation {@code slots}. */
    long gfn(long gva, long slots) {
        return gva >>> 12 == page && slots == generation ? gfn : NOTHING;
    }

    /** {@link org.penumbra.kit.Rights} of the page that is known. */
    int rights() {
        return rights;
    }

    /** What is known about the page of {@code gva} may be old. */
    void forget(long gva) {
        if (gva >>> 12 == page) {
            page = NOTHING;
        }
    }

    void forgetAll() {
        page = NOTHING;
    }
}
