package org.penumbra.vmx;

import java.util.function.BooleanSupplier;
import org.penumbra.api.machine.HostPages;
import org.penumbra.api.machine.MachineException;
import org.penumbra.vmx.memory.HostEvents;

/** Host events that somebody outside asks for: each inside the gate, so that the MMU which is told is the one that is there. */
final class GuardedHostPages implements HostPages {
    private final VirtualMachine machine;
    private final HostEvents events;

    GuardedHostPages(VirtualMachine machine) {
        this.machine = machine;
        this.events = machine.memory.events();
    }

    @Override
    public long frames() {
        return events.frames();
    }

    @Override
    public boolean swapOut(long gfn) {
        return inside("swapping out", gfn, () -> events.swapOut(gfn));
    }

    @Override
    public boolean migrate(long gfn) {
        return inside("migrating", gfn, () -> events.migrate(gfn));
    }

    @Override
    public boolean merge(long gfn, long other) {
        return inside("merging", gfn, () -> events.merge(gfn, other));
    }

    private boolean inside(String what, long gfn, BooleanSupplier event) {
        machine.swapper().refuseInside();
        try {
            machine.gate.enter("host event: " + what + " gfn 0x" + Long.toHexString(gfn));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new MachineException("interrupted before " + what + " gfn 0x" + Long.toHexString(gfn));
        }
        try {
            return event.getAsBoolean();
        } catch (MmuFailure | AbandonedException e) {
            throw new MachineException("the MMU failed during the host event: " + e.getMessage());
        } finally {
            machine.gate.leave();
            machine.swapper().recover();
        }
    }
}
