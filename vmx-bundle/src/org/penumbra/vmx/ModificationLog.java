package org.penumbra.vmx;

import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.memory.FrameAccess;
import org.penumbra.api.vmx.Vmcs;
import org.penumbra.vmx.memory.DirtyBitmap;
import org.penumbra.vmx.memory.HostMemory;

/**
 * The page-modification log of one vCPU: the processor writes addresses into a frame of the machine's, from its end downwards, and at
 * each exit they go into the dirty log. KVM: vmx_flush_pml_buffer. Used by the thread that runs the vCPU, or while that is parked.
 */
final class ModificationLog {
    private final HostMemory memory;
    private final DirtyBitmap dirty;
    private Vmcs vmcs;
    private final CycleClock clock;
    /** Null until the log is first enabled; it lives as long as the machine. */
    private FrameAccess frame;
    private long address;

    ModificationLog(HostMemory memory, Vmcs vmcs, CycleClock clock) {
        this.memory = memory;
        this.dirty = memory.dirty();
        this.vmcs = vmcs;
        this.clock = clock;
    }

    /** Sets whether the processor logs from the next entry on, which is by {@code next}. In root operation only, with nothing left in the log. */
    void enable(Vmcs next, boolean on) {
        if (next != vmcs) {
            vmcs.enablePml = false;
            vmcs = next;
        }
        if (on == vmcs.enablePml) {
            return;
        }
        if (on && frame == null) {
            var lease = memory.newLease();
            address = lease.allocate(clock);
            frame = lease.access(clock);
        }
        vmcs.enablePml = on;
        vmcs.pmlAddress = address;
        vmcs.pmlIndex = Vmcs.PML_ENTRIES - 1;
    }

    /** Puts what is in the log into the dirty log, in the order in which it was written, and empties it. */
    void drain() {
        if (!vmcs.enablePml || vmcs.pmlIndex == Vmcs.PML_ENTRIES - 1) {
            return;
        }
        // The index names the next entry to be written, so that it is beyond the end in a full log.
        int first = vmcs.pmlIndex > Vmcs.PML_ENTRIES - 1 ? 0 : vmcs.pmlIndex + 1;
        for (int i = Vmcs.PML_ENTRIES - 1; i >= first; i--) {
            dirty.mark(frame.load(vmcs.pmlAddress + 8L * i) >>> 12);
        }
        vmcs.pmlIndex = Vmcs.PML_ENTRIES - 1;
    }
}
