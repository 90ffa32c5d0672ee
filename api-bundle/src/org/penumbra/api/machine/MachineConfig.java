package org.penumbra.api.machine;

import java.util.Map;
import org.penumbra.api.clock.CostProfile;

/**
 * Everything a person chooses about a machine.
 *
 * @param memoryBytes guest-physical memory from address 0, a multiple of 2 MiB
 * @param hostPageLevel how the host backs it: 1 by 4 KiB pages, 2 by 2 MiB pages; without a hypervisor it has no meaning
 * @param hardware the processor model
 * @param mmu the design by {@code mmu.name}; empty without a hypervisor
 * @param settings settings of the design that differ from their defaults
 * @param check compare every translation with the specification
 */
public record MachineConfig(
        long memoryBytes, int hostPageLevel, CostProfile hardware, String mmu, Map<String, String> settings, boolean check) {
    public MachineConfig {
        if (memoryBytes <= 0 || memoryBytes % (1 << 21) != 0) {
            throw new IllegalArgumentException("guest memory of " + memoryBytes + " bytes: a positive multiple of 2 MiB is needed");
        }
        if (hostPageLevel < 1 || hostPageLevel > 2) {
            throw new IllegalArgumentException("host page level " + hostPageLevel + ": 1 (4 KiB) or 2 (2 MiB) is needed");
        }
        settings = Map.copyOf(settings);
    }
}
