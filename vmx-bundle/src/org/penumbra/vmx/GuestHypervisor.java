package org.penumbra.vmx;

import org.penumbra.api.cpu.GuestOperation;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vmcs;

/**
 * A guest that is a hypervisor (L1), by whichever extension it is one: what the run loop asks about its guest (L2), and which exits of L2 L1
 * sees. But for {@link #running} everything is asked while L2 runs. Used by the vCPU's thread.
 */
abstract class GuestHypervisor {
    private final NestedRun run;

    GuestHypervisor(NestedRun run) {
        this.run = run;
    }

    /** True while a guest of the guest runs. */
    final boolean running() {
        return run.running();
    }

    /** L1. */
    final GuestState hypervisor() {
        return run.hypervisor();
    }

    /** Leaves L2 for L1 because of {@code exit}, if L1 sees it before anybody here has looked at it; true if so. */
    final boolean took(ExitRecord exit) {
        run.exit();
        boolean wanted = wants(exit);
        if (wanted) {
            leave(exit);
        }
        return wanted;
    }

    /** True if L1 sees {@code exit} before anybody here has looked at it. */
    abstract boolean wants(ExitRecord exit);

    /** Leaves L2 for L1 because of {@code exit}. */
    abstract void leave(ExitRecord exit);

    /** The tables of L1 that translate L2's addresses; null if L1 shadows its guest's tables. */
    abstract TranslationRoot tables12();

    /** The VPID or ASID that L1 gave L2, 0 if it gave none. */
    abstract int tag();

    /** Merges L1's controls with those in {@code vmcs}, which are what L0 wants for its own guest. */
    abstract void merge(Vmcs vmcs);

    /** Sets the read shadows that L2 in {@code state} sees. */
    abstract void shadows(PagingState state, Vmcs vmcs);

    /** What CR0 or CR4, number {@code cr}, of L2 in {@code now} becomes by a MOV of {@code value}. */
    abstract long controlled(PagingState now, int cr, long value);

    /** True if L1 wants exceptions with {@code vector}. */
    abstract boolean intercepts(int vector);

    /** Leaves L2 for L1 because of an exception that L1 wants. */
    abstract void exception(int vector, int errorCode, long address);

    /** The same because L1's tables refuse an access. */
    abstract void refused(MmuFault fault);

    /** L2 executes {@code vmfunc}, by which it goes over to other tables of L1's. */
    void switchTables(GuestOperation vmfunc) {
        throw new IllegalStateException("VMFUNC under an extension without it");
    }

    /** False if L1 has a page-modification log for L2 that is full. */
    boolean mayLog() {
        return true;
    }

    /** A dirty flag was set in L1's tables for a write of L2 to the page at {@code gpa}. */
    void log(long gpa) {}

    /** True if an interrupt that is pending for the vCPU ends L2's turn. */
    abstract boolean interruptExits();

    /** Leaves L2 for L1 because of such an interrupt, which L1 finds pending. */
    abstract void interrupt();

    /** The vector of an interrupt that L1 has pending for L2 by its processor's means, −1 for none. */
    int virtualInterrupt() {
        return -1;
    }

    /** L2, which is open to {@link #virtualInterrupt}, takes it now; answers false if L1 sees an exit instead, for which L2 has been left. */
    boolean takesVirtualInterrupt() {
        throw new IllegalStateException("there is none");
    }
}
