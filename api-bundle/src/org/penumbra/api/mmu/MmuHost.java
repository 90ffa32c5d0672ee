package org.penumbra.api.mmu;

import org.osgi.annotation.versioning.ProviderType;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.memory.DirtyLog;
import org.penumbra.api.memory.FrameLease;
import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.memory.WriteTracking;
import org.penumbra.api.observe.Counters;
import org.penumbra.api.observe.Tracing;

/** What a virtual machine gives its MMU. Any thread. */
@ProviderType
public interface MmuHost {
    /** The frames for the MMU's structures. */
    FrameLease lease();

    /** Guest memory, charged to {@code clock}; make one per vCPU. */
    GuestMemory guestMemory(CycleClock clock);

    /** Frames whose writes others want to see. */
    WriteTracking writeTracking();

    /** Where written frames are noted. */
    DirtyLog dirtyLog();

    /** The guest's MAXPHYADDR: address bits of an entry from here up are reserved. */
    int physicalAddressBits();

    /** Bits of the processor's linear addresses: 57 if it has 5-level paging, else 48. */
    int linearAddressBits();

    /** Frames that the slots give the guest now. */
    long guestFrames();

    /** The machine's counters. */
    Counters counters();

    /** The way to tell what is done for the vCPU, or the host, whose clock {@code clock} is; make one per vCPU. */
    Tracing.Tracer tracer(CycleClock clock);

    /** Value of the setting {@code key} of {@link MmuFactory#settings()}: the user's, or the default. */
    String setting(String key);

    /**
     * Drops everything that any vCPU's TLBs hold for this machine. On return every vCPU has left the guest and flushes before it
     * enters again, asking {@link MmuContext#root} first: so nobody uses an old translation or an old root. Waits for no vCPU that is
     * outside the guest, so it may be called under any lock. Charges {@code clock} an inter-processor interrupt per vCPU that had to
     * be brought out. KVM: {@code kvm_flush_remote_tlbs}.
     */
    void flushRemoteTlbs(CycleClock clock);
}
