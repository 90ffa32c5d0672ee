package org.penumbra.vmx.memory;

import org.eclipse.collections.impl.set.mutable.primitive.LongHashSet;

/** What the slots of a machine give its guest at this moment, for tests. */
public final class Reach {
    private final HostMemory host;
    private LongHashSet readable = new LongHashSet();
    private LongHashSet writable = new LongHashSet();

    public Reach(HostMemory host) {
        this.host = host;
    }

    /** True if a slot gives the guest frame {@code pfn}, for writing if {@code write}. */
    public boolean gives(long pfn, boolean write) {
        if (!(write ? writable : readable).contains(pfn)) {
            // Frames only join while a guest runs undisturbed.
            readable = host.given(false);
            writable = host.given(true);
        }
        return (write ? writable : readable).contains(pfn);
    }

    /** Frames or slots may have changed. */
    public void forget() {
        readable = new LongHashSet();
        writable = new LongHashSet();
    }

    /** Where the contents of {@code hva} are. */
    public long hpa(long hva) {
        return host.space.frame(hva) << 12 | hva & 0xfff;
    }
}
