package org.penumbra.vmx;

import org.penumbra.api.clock.GuestClock;
import org.penumbra.api.mmu.NestedContext;
import org.penumbra.vmx.memory.HostEvents;
import org.penumbra.vmx.memory.Lease;

/** A context for the guests of the guest, behind its guard. */
final class GuardedNested extends GuardedContext implements NestedContext {
    private final NestedContext context;

    GuardedNested(NestedContext context, Guard guard, Lease lease, GuestClock time, HostEvents events) {
        super(context, guard, lease, time, events);
        this.context = context;
    }

    @Override
    public void enter(long eptp12) {
        guard.enter(call, "NestedContext.enter");
        try {
            context.enter(eptp12);
        } catch (Throwable e) {
            throw guard.thrown("NestedContext.enter", e);
        } finally {
            guard.leave(call);
        }
    }

    @Override
    public void invalidateEpt(boolean all, long eptp12) {
        guard.enter(call, "NestedContext.invalidateEpt");
        try {
            context.invalidateEpt(all, eptp12);
        } catch (Throwable e) {
            throw guard.thrown("NestedContext.invalidateEpt", e);
        } finally {
            guard.leave(call);
        }
    }
}
