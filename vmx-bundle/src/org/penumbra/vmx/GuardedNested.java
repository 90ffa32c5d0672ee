package org.penumbra.vmx;

import org.penumbra.api.clock.GuestClock;
import org.penumbra.api.mmu.NestedContext;
import org.penumbra.api.paging.TranslationRoot;
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
    public void enter(TranslationRoot tables12) {
        guard.enter(call, "NestedContext.enter");
        try {
            context.enter(tables12);
        } catch (Throwable e) {
            throw guard.thrown("NestedContext.enter", e);
        } finally {
            guard.leave(call);
        }
    }

    @Override
    public void invalidateTables(boolean all, TranslationRoot tables12) {
        guard.enter(call, "NestedContext.invalidateTables");
        try {
            context.invalidateTables(all, tables12);
        } catch (Throwable e) {
            throw guard.thrown("NestedContext.invalidateTables", e);
        } finally {
            guard.leave(call);
        }
    }
}
