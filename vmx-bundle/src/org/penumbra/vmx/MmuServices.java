package org.penumbra.vmx;

import java.util.Map;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.memory.DirtyLog;
import org.penumbra.api.memory.FrameLease;
import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.memory.MemorySlot;
import org.penumbra.api.memory.WriteTracking;
import org.penumbra.api.mmu.MmuHost;
import org.penumbra.api.observe.Counters;
import org.penumbra.api.observe.Tracing;
import org.penumbra.vmx.memory.Fence;
import org.penumbra.vmx.memory.Lease;

/** What a virtual machine gives its MMU. What can change the machine is shut together with the lease. */
final class MmuServices implements MmuHost {
    private final VirtualMachine machine;
    private final Lease lease;
    private final String design;
    private final Map<String, String> settings;
    private final WriteTracking tracking;
    private final DirtyLog dirtyLog;

    MmuServices(VirtualMachine machine, String design, Map<String, String> settings, Lease lease, WriteTracking tracking) {
        this.machine = machine;
        this.lease = lease;
        this.design = design;
        this.settings = settings;
        this.tracking = tracking;
        this.dirtyLog = new FencedLog(machine.memory.dirty(), lease.fence());
    }

    private record FencedLog(DirtyLog log, Fence fence) implements DirtyLog {
        @Override
        public boolean active() {
            return log.active();
        }

        @Override
        public boolean logs(long gfn) {
            return log.logs(gfn);
        }

        @Override
        public void mark(long gfn) {
            fence.check();
            log.mark(gfn);
        }
    }

    @Override
    public FrameLease lease() {
        return lease;
    }

    @Override
    public GuestMemory guestMemory(CycleClock clock) {
        return machine.memory.view(clock, lease.fence());
    }

    @Override
    public WriteTracking writeTracking() {
        return tracking;
    }

    @Override
    public DirtyLog dirtyLog() {
        return dirtyLog;
    }

    @Override
    public int physicalAddressBits() {
        return machine.physicalAddressBits();
    }

    @Override
    public int linearAddressBits() {
        return machine.linearAddressBits();
    }

    @Override
    public long guestFrames() {
        return machine.memory.allSlots().stream().mapToLong(MemorySlot::frames).sum();
    }

    @Override
    public Tracing.Tracer tracer(CycleClock clock) {
        return machine.tracer(clock);
    }

    @Override
    public Counters counters() {
        return machine.counters;
    }

    @Override
    public String setting(String key) {
        String value = settings.get(key);
        if (value == null) {
            throw new IllegalArgumentException("design '" + design + "' asks for a setting it does not declare: " + key);
        }
        return value;
    }

    @Override
    public void flushRemoteTlbs(CycleClock clock) {
        lease.fence().check();
        machine.flushTlbs(clock);
    }
}
