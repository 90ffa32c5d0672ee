package org.example.agile;

import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.mmu.MmuContext;
import org.penumbra.api.mmu.MmuContextHost;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.kit.GuestWalker;
import org.penumbra.kit.Rights;
import org.penumbra.kit.Role;
import org.penumbra.kit.ShadowPage;

/** What the MMU does for one vCPU. */
final class AgileContext implements MmuContext {
    private final AgileMmu mmu;
    private final MmuContextHost vcpu;
    private final GuestMemory guest;
    /** The walk of the fault that is being served, and that of the emulator. */
    private final GuestWalker walker;
    private final GuestWalker emulation;
    private PagingState state;
    private TranslationRoot root;
    private ShadowPage rootPage;
    private long rootEpoch;

    AgileContext(AgileMmu mmu, MmuContextHost vcpu) {
        this.mmu = mmu;
        this.vcpu = vcpu;
        this.guest = mmu.host().guestMemory(vcpu.clock());
        this.walker = new GuestWalker(guest, mmu.host().physicalAddressBits());
        this.emulation = new GuestWalker(guest, mmu.host().physicalAddressBits());
    }

    /** Shadow pages are in step with their tables, so a load has the processor's caches to drop and nothing else. */
    @Override
    public void load(PagingState newState, boolean keepPcid) {
        boolean onlyCr3 = state != null && state.withCr3(newState.cr3()).equals(newState);
        state = newState;
        root = null;
        if (keepPcid) {
            return;
        }
        if (onlyCr3) {
            vcpu.flushButGlobals();
        } else {
            vcpu.flushAll();
        }
    }

    /**
     * True if the guest's tables can be shadowed. A supervisor that CR0.WP = 0 lets write anywhere would write protected tables, and a shadow
     * entry has no protection key: such guests, and those outside of 4- and 5-level paging, are nested from the root on.
     */
    private boolean shadowed() {
        return state.mode().isLong() && state.has0(ControlBits.CR0_WP) && !state.has4(ControlBits.CR4_PKE | ControlBits.CR4_PKS);
    }

    @Override
    public TranslationRoot root() {
        mmu.interval(vcpu.clock());
        if (root == null || rootEpoch != mmu.epoch()) {
            rootEpoch = mmu.epoch();
            ShadowPage page = shadowed() ? mmu.rootPage(state.root() >>> 12, topRole(), vcpu.clock()) : null;
            if (root == null || page != rootPage) {
                root = mmu.root(page, vcpu.clock());
                rootPage = page;
            }
        }
        return root;
    }

    private int topRole() {
        return Role.of(state.mode().levels(), Rights.ALL, Role.mode(state), 0);
    }

    /** An EPT violation has a qualification; what the shadow tables owe has none. */
    @Override
    public Resolution resolve(MmuFault fault) {
        mmu.interval(vcpu.clock());
        if (fault.qualification != 0) {
            return mmu.violation(fault.gpa >>> 12, fault.qualification, guest, vcpu.clock());
        }
        long sequence = guest.sequence();
        if (!walker.walk(state, fault.gva, fault.access)) {
            fault.errorCode = walker.errorCode;
            return Resolution.INJECT;
        }
        fault.gpa = walker.gfn << 12 | fault.gva & 0xfff;
        long table = mmu.nestedTable(walker);
        boolean write = table != AgileMmu.NONE || Access.isWrite(fault.access);
        long pfn = guest.pfn(table != AgileMmu.NONE ? table : walker.gfn, write);
        if (pfn == GuestMemory.NO_SLOT) {
            return Resolution.MMIO;
        }
        return mmu.owed(new AgileMmu.Owed(fault.gva, write, walker, table, pfn, sequence, topRole()), guest, vcpu.clock());
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
    public long gvaToGpa(PagingState now, long gva, int access, MmuFault fault) {
        if (!emulation.walk(now, gva, access)) {
            fault.gva = gva;
            fault.errorCode = emulation.errorCode;
            return FAULT;
        }
        return emulation.gfn << 12 | gva & 0xfff;
    }
}
