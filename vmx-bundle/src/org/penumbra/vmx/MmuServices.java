package org.penumbra.vmx;

import java.util.Map;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.memory.FrameLease;
import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.memory.WriteTracking;
import org.penumbra.api.mmu.MmuHost;
import org.penumbra.api.observe.Counters;

/** What a virtual machine gives its MMU. */
final class MmuServices implements MmuHost {
    private final VirtualMachine machine;
    private final FrameLease lease;
    private final String design;
    private final Map<String, String> settings;

    MmuServices(VirtualMachine machine, MmuPlugin plugin, Map<String, String> chosen, FrameLease lease) {
        this.machine = machine;
        this.lease = lease;
        this.design = plugin.name();
        this.settings = plugin.settings(chosen);
    }

    @Override
    public FrameLease lease() {
        return lease;
    }

    @Override
    public GuestMemory guestMemory(CycleClock clock) {
        return machine.memory.view(clock);
    }

    @Override
    public WriteTracking writeTracking() {
        return machine.tracking;
    }

    @Override
    public int physicalAddressBits() {
        return machine.physicalAddressBits();
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
        machine.flushTlbs(clock);
    }
}
