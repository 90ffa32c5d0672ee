package org.penumbra.hardware.walk;

import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.vmx.Vmcs;

/**
 * Page-modification logging (SDM vol. 3, "Page-Modification Logging"): whoever is about to set an accessed or dirty flag for EPT asks whether the log has
 * room, and writes the address into it when a dirty flag was set. The index counts down from 511; beyond 511 the log is full. One thread.
 */
public final class ModificationLog {
    private final PhysicalMemory memory;
    private Vmcs vmcs;

    ModificationLog(PhysicalMemory memory) {
        this.memory = memory;
    }

    /** Logs as {@code now} says; null for no log. */
    public void use(Vmcs now) {
        vmcs = now != null && now.enablePml ? now : null;
    }

    boolean full() {
        return vmcs != null && vmcs.pmlIndex > Vmcs.PML_ENTRIES - 1;
    }

    /** A dirty flag was set for a write to {@code gpa}; the log is not full. The index is a field of 16 bits. */
    void append(long gpa) {
        if (vmcs != null) {
            memory.store64(vmcs.pmlAddress + 8L * vmcs.pmlIndex, gpa & -4096L);
            vmcs.pmlIndex = vmcs.pmlIndex - 1 & 0xffff;
        }
    }
}
