package org.penumbra.vmx.memory;

/** Who has to know of host events: Linux's mmu_notifier_ops. */
public interface Notifier {
    /** The host frames behind {@code frames} guest frames from {@code gfn} are about to change: drop every translation of them. */
    void invalidate(long gfn, long frames);

    /** The contents of guest frame {@code gfn} lie in another host frame now. */
    void moved(long gfn);
}
