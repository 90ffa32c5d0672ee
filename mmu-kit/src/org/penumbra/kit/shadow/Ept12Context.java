package org.penumbra.kit.shadow;

import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.mmu.MmuContextHost;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.mmu.NestedContext;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.EptViolation;
import org.penumbra.api.paging.PagingState;
import org.penumbra.kit.GuestFormat;
import org.penumbra.kit.GuestWalker;
import org.penumbra.kit.MmuLock;
import org.penumbra.kit.Rights;

/**
 * One vCPU while it runs a guest of its guest: L1's EPT tables are what is shadowed, L2's guest-physical addresses what is translated. KVM:
 * {@code nested_ept_init_mmu_context}, {@code ept_page_fault}.
 */
final class Ept12Context extends FaultPath implements NestedContext {
    /** From {@link Rights} to the bits of an exit qualification that say what EPT allows. */
    private static final int ALLOWED = EptViolation.READABLE | EptViolation.WRITABLE | EptViolation.EXECUTABLE;

    private final GuestWalker ept;
    private final GuestWalker pages;
    private long eptp12;

    Ept12Context(ShadowPaging mmu, MmuContextHost host, Worker w) {
        super(mmu, host, w);
        this.ept = new GuestWalker(w.guest, mmu.host.physicalAddressBits(), w.trace);
        this.pages = new GuestWalker(w.guest, mmu.host.physicalAddressBits(), w.trace, ept);
    }

    @Override
    public void enter(long eptp) {
        eptp12 = eptp;
        pages.through(eptp);
        try (MmuLock.Held held = mmu.lock.exclusive()) {
            select(GuestRoot.ofEpt(eptp));
        }
    }

    @Override
    public void load(PagingState state, boolean keepPcid) {
        // EPT02 does not depend on L2's paging state; a load that does not exit is the processor's to flush for.
        if (!keepPcid) {
            host.flushAll();
        }
    }

    @Override
    Resolution served(MmuFault fault) {
        int access = kind(fault.qualification);
        if (!walker.walkEpt(eptp12, fault.gpa, access)) {
            mmu.counters.pfGuest.increment();
            reflect(fault, fault.gpa, fault.qualification, walker);
            return Resolution.INJECT;
        }
        long gfn = walker.gfn;
        long sequence = w.guest.sequence();
        long pfn = w.guest.pfn(gfn, Access.isWrite(access));
        return pfn == GuestMemory.NO_SLOT ? Resolution.MMIO : fill(fault.gpa, access, gfn, pfn, sequence);
    }

    /** The access that was refused with {@code qualification}: with flags enabled a walk of L2's tables reads and writes, that is, writes. */
    private static int kind(long qualification) {
        boolean write = (qualification & EptViolation.WRITE) != 0;
        return write ? Access.WRITE : (qualification & EptViolation.FETCH) != 0 ? Access.FETCH : Access.READ;
    }

    /**
     * {@code fault} is L1's: EPT12 refuses {@code gpa}. What an access was is as in {@code qualification}, what EPT12 allows as the failed
     * walk {@code refusing} has found. KVM: nested_ept_inject_page_fault.
     */
    private void reflect(MmuFault fault, long gpa, long qualification, GuestWalker refusing) {
        int rights = refusing.rights;
        fault.nested = true;
        fault.misconfigured = refusing.misconfigured;
        fault.gpa = gpa;
        fault.qualification = qualification & ~ALLOWED
                | ((rights & Rights.USER) != 0 ? EptViolation.READABLE : 0)
                | ((rights & Rights.WRITE) != 0 ? EptViolation.WRITABLE : 0)
                | ((rights & Rights.EXEC) != 0 ? EptViolation.EXECUTABLE : 0);
        syncPaths(gpa);
    }

    @Override
    public void invalidatePage(long gva) {
        host.flushPage(gva);
    }

    @Override
    public void invalidatePcid(int type, int pcid, long gva) {
        host.flushAll();
    }

    @Override
    public void invalidateEpt(boolean all, long eptp) {
        try (MmuLock.Held held = mmu.lock.exclusive()) {
            if (all) {
                roots.staleAll();
            } else {
                roots.staleEpt(GuestRoot.ofEpt(eptp).gfn());
            }
            roots.freshen();
        }
        host.flushAll();
    }

    @Override
    public long gvaToGpa(PagingState state, long gva, int access, MmuFault fault) {
        fault.gva = gva;
        boolean flags = (eptp12 & GuestFormat.EPTP_FLAGS) != 0;
        if (!pages.walk(state, gva, access)) {
            if (pages.refused) {
                long walk = EptViolation.READ | (flags ? EptViolation.WRITE : 0) | EptViolation.LINEAR_VALID;
                reflect(fault, pages.refusedGpa, walk, ept);
                return FAULT;
            }
            fault.nested = false;
            fault.errorCode = pages.errorCode;
            return FAULT;
        }
        long gpa = pages.gfn << 12 | gva & 0xfff;
        int kind = access & (Access.WRITE | Access.FETCH);
        if (!ept.walkEpt(eptp12, gpa, kind)) {
            int did = kind == Access.WRITE ? EptViolation.WRITE : kind == Access.FETCH ? EptViolation.FETCH : EptViolation.READ;
            reflect(fault, gpa, did | EptViolation.LINEAR_VALID | EptViolation.FINAL_ACCESS, ept);
            return FAULT;
        }
        return ept.gfn << 12 | gva & 0xfff;
    }
}
