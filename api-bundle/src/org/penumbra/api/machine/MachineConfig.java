package org.penumbra.api.machine;

import java.util.Map;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.cpu.EngineFactory;

/**
 * Everything a person chooses about a machine.
 *
 * @param memoryBytes guest-physical memory from address 0, a multiple of 2 MiB; what it does not touch costs next to nothing
 * @param hostPageLevel how the host backs it: 1 by 4 KiB pages, 2 by 2 MiB pages; without a hypervisor it has no meaning
 * @param hardware the processor model
 * @param mmu the design by {@code mmu.name}; empty without a hypervisor
 * @param settings settings of the design that differ from their defaults
 * @param check compare every translation with the specification; needs the deterministic scheduler
 * @param vcpus number of vCPUs, 1 to {@link #MOST_VCPUS}
 * @param threads a thread per vCPU instead of the deterministic scheduler: for scaling and stress, since two runs differ
 * @param engine the execution engine by {@code engine.name}
 * @param watchdogMillis wall time after which a call into the MMU counts as stuck; 0 for never
 * @param shadowVmcs VMREAD and VMWRITE of a guest that is a hypervisor need no exit (VMCS shadowing)
 */
public record MachineConfig(
        long memoryBytes, int hostPageLevel, CostProfile hardware, String mmu, Map<String, String> settings, boolean check,
        int vcpus, boolean threads, String engine, long watchdogMillis, boolean shadowVmcs) {
    /** The largest number of vCPUs of a machine. */
    public static final int MOST_VCPUS = 64;
    /** A call into an MMU takes microseconds; this is long even for a machine that is busy with other things. */
    public static final long WATCHDOG_MILLIS = 5_000;

    public MachineConfig {
        if (vcpus < 1 || vcpus > MOST_VCPUS) {
            throw new IllegalArgumentException(vcpus + " vCPUs: 1 to " + MOST_VCPUS + " are possible");
        }
        if (check && threads) {
            throw new IllegalArgumentException("a checked run needs the deterministic scheduler: leave out the thread per vCPU, or the check");
        }
        if (memoryBytes <= 0 || memoryBytes % (1 << 21) != 0) {
            throw new IllegalArgumentException("guest memory of " + memoryBytes + " bytes: a positive multiple of 2 MiB is needed");
        }
        if (hostPageLevel < 1 || hostPageLevel > 2) {
            throw new IllegalArgumentException("host page level " + hostPageLevel + ": 1 (4 KiB) or 2 (2 MiB) is needed");
        }
        settings = Map.copyOf(settings);
    }

    /** A machine with VMCS shadowing. */
    public MachineConfig(
            long memoryBytes, int hostPageLevel, CostProfile hardware, String mmu, Map<String, String> settings, boolean check,
            int vcpus, boolean threads, String engine, long watchdogMillis) {
        this(memoryBytes, hostPageLevel, hardware, mmu, settings, check, vcpus, threads, engine, watchdogMillis, true);
    }

    /** One vCPU under the deterministic scheduler, with the engine of steps. */
    public MachineConfig(
            long memoryBytes, int hostPageLevel, CostProfile hardware, String mmu, Map<String, String> settings, boolean check) {
        this(memoryBytes, hostPageLevel, hardware, mmu, settings, check, 1, false, EngineFactory.STEPS, WATCHDOG_MILLIS);
    }

    /** The same with {@code number} vCPUs, on a thread each if {@code threaded}. */
    public MachineConfig withVcpus(int number, boolean threaded) {
        return new MachineConfig(memoryBytes, hostPageLevel, hardware, mmu, settings, check, number, threaded, engine, watchdogMillis, shadowVmcs);
    }

    /** The same with another engine. */
    public MachineConfig withEngine(String name) {
        return new MachineConfig(memoryBytes, hostPageLevel, hardware, mmu, settings, check, vcpus, threads, name, watchdogMillis, shadowVmcs);
    }

    /** The same with another watchdog. */
    public MachineConfig withWatchdog(long millis) {
        return new MachineConfig(memoryBytes, hostPageLevel, hardware, mmu, settings, check, vcpus, threads, engine, millis, shadowVmcs);
    }

    /** The same with or without VMCS shadowing. */
    public MachineConfig withShadowVmcs(boolean on) {
        return new MachineConfig(memoryBytes, hostPageLevel, hardware, mmu, settings, check, vcpus, threads, engine, watchdogMillis, on);
    }
}
