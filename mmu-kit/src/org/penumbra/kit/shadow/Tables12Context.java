package org.penumbra.kit.shadow;

import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.mmu.MmuContextHost;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.mmu.NestedContext;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.kit.GuestWalker;
import org.penumbra.kit.MmuLock;

/**
 * One vCPU while it runs a guest of its guest: L1's tables for it (EPT12, NPT12) are what is shadowed, L2's guest-physical addresses what is
 * translated. KVM: {@code nested_ept_init_mmu_context}, {@code nested_svm_init_mmu_context}, {@code FNAME(page_fault)}.
 */
final class Tables12Context extends FaultPath implements NestedContext {
    private final GuestWalker stage;
    private final GuestWalker pages;
    private TranslationRoot tables12;
    private StageFault told;

    Tables12Context(ShadowPaging mmu, MmuContextHost host, Worker w) {
        super(mmu, host, w);
        this.stage = new GuestWalker(w.guest, mmu.host.physicalAddressBits(), w.trace);
        GuestWalker.DirtyFlags logged = logged();
        walker.flagBy(logged);
        stage.flagBy(logged);
        this.pages = new GuestWalker(w.guest, mmu.host.physicalAddressBits(), w.trace, stage);
    }

    /** Dirty flags that are set in EPT12 go into the log of L1. KVM: nested_vmx_write_pml_buffer. */
    private GuestWalker.DirtyFlags logged() {
        return new GuestWalker.DirtyFlags() {
            @Override
            public boolean maySet() {
                return host.mayLog12();
            }

            @Override
            public void set(long gpa) {
                host.log12(gpa & -4096L);
            }
        };
    }

    @Override
    public void enter(TranslationRoot tables) {
        tables12 = tables;
        told = StageFault.of(tables);
        pages.through(tables);
        try (MmuLock.Held held = mmu.lock.exclusive()) {
            select(GuestRoot.of(tables));
        }
    }

    @Override
    public void load(PagingState state, boolean keepPcid) {
        // The tables do not depend on L2's paging state; a load that does not exit is the processor's to flush for.
        if (!keepPcid) {
            host.flushAll();
        }
    }

    @Override
    Resolution served(MmuFault fault) {
        int access = told.access(fault.qualification);
        if (!walker.walkTables(tables12, fault.gpa, access)) {
            mmu.counters.pfGuest.increment();
            reflect(fault, fault.gpa, fault.qualification, walker);
            return Resolution.INJECT;
        }
        long gfn = walker.gfn;
        long sequence = w.guest.sequence();
        long pfn = w.guest.pfn(gfn, Access.isWrite(access));
        return pfn == GuestMemory.NO_SLOT ? Resolution.MMIO : fill(fault.gpa, access, gfn, pfn, sequence);
    }

    /**
     * {@code fault} is L1's: its tables refuse {@code gpa}. What the access was is as in {@code qualification}, what they say of it as the
     * failed walk {@code refusing} has found. KVM: nested_ept_inject_page_fault, nested_svm_inject_npf_exit.
     */
    private void reflect(MmuFault fault, long gpa, long qualification, GuestWalker refusing) {
        fault.nested = true;
        fault.misconfigured = refusing.misconfigured;
        fault.logFull = refusing.unflagged;
        fault.suppressVe = refusing.suppressVe;
        fault.gpa = gpa;
        fault.qualification = told.refused(qualification, refusing);
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
    public void invalidateTables(boolean all, TranslationRoot tables) {
        try (MmuLock.Held held = mmu.lock.exclusive()) {
            if (all) {
                roots.staleAll();
            } else {
                roots.staleTables(GuestRoot.of(tables).gfn());
            }
            roots.freshen();
        }
        host.flushAll();
    }

    @Override
    public long gvaToGpa(PagingState state, long gva, int access, MmuFault fault) {
        fault.gva = gva;
        if (!pages.walk(state, gva, access)) {
            if (pages.refused) {
                reflect(fault, pages.refusedGpa, told.ofEntry(pages.refusedWrite), stage);
                return FAULT;
            }
            fault.nested = false;
            fault.errorCode = pages.errorCode;
            return FAULT;
        }
        long gpa = pages.gfn << 12 | gva & 0xfff;
        int kind = access & (Access.WRITE | Access.FETCH);
        if (!stage.walkTables(tables12, gpa, kind)) {
            reflect(fault, gpa, told.ofPage(kind), stage);
            return FAULT;
        }
        return stage.gfn << 12 | gva & 0xfff;
    }
}
