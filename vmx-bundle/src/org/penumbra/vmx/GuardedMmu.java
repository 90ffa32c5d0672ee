package org.penumbra.vmx;

import java.util.function.Consumer;
import java.util.function.Supplier;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.clock.GuestClock;
import org.penumbra.api.mmu.ControlDemand;
import org.penumbra.api.mmu.DirtyLogging;
import org.penumbra.api.mmu.Mmu;
import org.penumbra.api.mmu.MmuContextHost;
import org.penumbra.api.mmu.NestedPaging;
import org.penumbra.api.mmu.PageAgeing;
import org.penumbra.vmx.memory.HostEvents;
import org.penumbra.vmx.memory.Lease;

/** An MMU behind its guard. Its calls are not those of every fault, so each may take a place of its own. */
final class GuardedMmu {
    private final Mmu mmu;
    private final Guard guard;
    private final Lease lease;

    GuardedMmu(Supplier<Mmu> maker, Guard guard, Lease lease) {
        this.guard = guard;
        this.lease = lease;
        this.mmu = guard.call("MmuFactory.create", maker);
    }

    ControlDemand controlDemand() {
        return guard.call("Mmu.controlDemand", mmu::controlDemand);
    }

    GuardedContext newContext(MmuContextHost host, GuestClock time, HostEvents events) {
        return new GuardedContext(guard.call("Mmu.newContext", () -> mmu.newContext(host)), guard, lease, time, events);
    }

    /** True if the MMU translates for guests of the guest. */
    boolean nests() {
        return mmu instanceof NestedPaging;
    }

    GuardedNested newNestedContext(MmuContextHost host, GuestClock time, HostEvents events) {
        NestedPaging nesting = (NestedPaging) mmu;
        return new GuardedNested(guard.call("NestedPaging.newNestedContext", () -> nesting.newNestedContext(host)), guard, lease, time, events);
    }

    void guestTableWritten(long gpa, int bytes, CycleClock clock) {
        guard.run("Mmu.guestTableWritten", () -> mmu.guestTableWritten(gpa, bytes, clock));
    }

    void writeProtect(long gfn, CycleClock clock) {
        guard.run("Mmu.writeProtect", () -> mmu.writeProtect(gfn, clock));
    }

    void hostRangeChanged(long gfn, long frames, CycleClock clock) {
        guard.run("Mmu.hostRangeChanged", () -> mmu.hostRangeChanged(gfn, frames, clock));
    }

    void slotsChanged(long gfn, long frames, CycleClock clock) {
        guard.run("Mmu.slotsChanged", () -> mmu.slotsChanged(gfn, frames, clock));
    }

    /** True if the MMU knows which frames were accessed. */
    boolean ages() {
        return mmu instanceof PageAgeing;
    }

    boolean age(long gfn, CycleClock clock) {
        return guard.call("PageAgeing.age", () -> ((PageAgeing) mmu).age(gfn, 1, clock));
    }

    boolean testAge(long gfn, CycleClock clock) {
        return guard.call("PageAgeing.testAge", () -> ((PageAgeing) mmu).testAge(gfn, 1, clock));
    }

    void audit(CycleClock clock, Consumer<String> violations) {
        guard.run("Mmu.audit", () -> mmu.audit(clock, violations));
    }

    /** True if the MMU can log dirty frames. */
    boolean logs() {
        return mmu instanceof DirtyLogging;
    }

    /** True if the MMU wants a page-modification log. */
    boolean usesModificationLog() {
        return mmu instanceof DirtyLogging logging && guard.call("DirtyLogging.usesModificationLog", logging::usesModificationLog);
    }

    void startDirtyLog(CycleClock clock) {
        guard.run("DirtyLogging.startDirtyLog", () -> ((DirtyLogging) mmu).startDirtyLog(clock));
    }

    void stopDirtyLog(CycleClock clock) {
        guard.run("DirtyLogging.stopDirtyLog", () -> ((DirtyLogging) mmu).stopDirtyLog(clock));
    }

    void collectDirty(CycleClock clock) {
        guard.run("DirtyLogging.collectDirty", () -> ((DirtyLogging) mmu).collectDirty(clock));
    }

    void rearmDirty(long gfn, CycleClock clock) {
        guard.run("DirtyLogging.rearmDirty", () -> ((DirtyLogging) mmu).rearmDirty(gfn, clock));
    }

    void close() {
        guard.run("Mmu.close", mmu::close);
    }
}
