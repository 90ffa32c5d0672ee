package org.example.flattened;

import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.mmu.MmuContext;
import org.penumbra.api.mmu.MmuContextHost;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.paging.EptViolation;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.kit.GuestWalker;

/** What the MMU does for one vCPU. */
final class FlattenedContext implements MmuContext {
    private final FlattenedMmu mmu;
    private final MmuContextHost vcpu;
    private final GuestMemory guest;
    private final GuestWalker walker;

    FlattenedContext(FlattenedMmu mmu, MmuContextHost vcpu) {
        this.mmu = mmu;
        this.vcpu = vcpu;
        this.guest = mmu.host().guestMemory(vcpu.clock());
        this.walker = new GuestWalker(guest, mmu.host().physicalAddressBits());
    }

    @Override
    public void load(PagingState state, boolean keepPcid) {
        if (!keepPcid) {
            vcpu.flushAll();
        }
    }

    @Override
    public TranslationRoot root() {
        return mmu.root(vcpu.clock());
    }

    @Override
    public Resolution resolve(MmuFault fault) {
        return mmu.fault(fault.gpa >>> 12, (fault.qualification & EptViolation.WRITE) != 0, guest, vcpu.clock());
    }

    @Override
    public void invalidatePage(long gva) {
        vcpu.flushPage(gva);
    }

    @Override
    public void invalidatePcid(int type, int pcid, long gva) {
        vcpu.flushAll();
    }

    /** For the hypervisor's emulator: the guest's tables, walked in software. */
    @Override
    public long gvaToGpa(PagingState state, long gva, int access, MmuFault fault) {
        if (!walker.walk(state, gva, access)) {
            fault.gva = gva;
            fault.errorCode = walker.errorCode;
            return FAULT;
        }
        return walker.gfn << 12 | gva & 0xfff;
    }
}
