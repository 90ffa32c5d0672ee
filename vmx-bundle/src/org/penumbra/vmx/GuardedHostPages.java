package org.penumbra.vmx;

import java.util.function.BooleanSupplier;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.machine.HostPages;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.observe.TracePoint;
import org.penumbra.api.observe.Tracing;
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

    @Override
    public boolean collapse(long gfn) {
        return inside("collapsing", gfn, () -> events.collapse(gfn));
    }

    @Override
    public boolean split(long gfn) {
        return inside("splitting", gfn, () -> events.split(gfn));
    }

    @Override
    public boolean young(long gfn) {
        return inside("ageing", gfn, () -> asked(TracePoint.KVM_AGE_HVA, gfn, GuardedMmu::age));
    }

    @Override
    public boolean testYoung(long gfn) {
        return inside("looking at the age of", gfn, () -> asked(TracePoint.KVM_TEST_AGE_HVA, gfn, GuardedMmu::testAge));
    }

    private interface Question {
        boolean ask(GuardedMmu mmu, long gfn, CycleClock clock);
    }

    /** What the MMU answers for any guest frame that shows the page; true if it cannot tell, false while there is no MMU. */
    private boolean asked(TracePoint point, long gfn, Question question) {
        Tracing.Tracer tracer = machine.tracer(machine.hostClock);
        if (tracer.on(point)) {
            tracer.tell(point, gfn, 1);
        }
        Attachment now = machine.swapper().current();
        if (now == null) {
            return false;
        }
        if (!now.mmu().ages()) {
            return true;
        }
        boolean[] young = {false};
        events.aliases(gfn, alias -> young[0] |= question.ask(now.mmu(), alias, machine.hostClock));
        return young[0];
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
