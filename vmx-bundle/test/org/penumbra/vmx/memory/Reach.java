package org.penumbra.vmx.memory;

/** What the slots of a machine give its guest at this moment, for tests. */
public final class Reach {
    private final HostMemory host;

    public Reach(HostMemory host) {
        this.host = host;
    }

    /** True if a slot gives the guest frame {@code pfn}, for writing if {@code write}. */
    public boolean gives(long pfn, boolean write) {
        return host.given(write).contains(pfn);
    }

    /** Where the contents of {@code hva} are. */
    public long hpa(long hva) {
        return host.space.frame(hva) << 12 | hva & 0xfff;
    }
}
