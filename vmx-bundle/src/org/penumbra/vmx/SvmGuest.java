package org.penumbra.vmx;

import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.memory.GuestMemoryException;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.Pdptes;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.api.svm.SvmProcessor;
import org.penumbra.api.svm.Vmcb;
import org.penumbra.api.vmx.Vmcs;

/**
 * The guest of one vCPU, and a guest of that, while they run under SVM, because the MMU has nested tables: a VMCB and an ASID for each. Their
 * registers are the register file's; what is to be injected, and whether an interrupt window is awaited, is taken over from the VMCS at each
 * VMRUN. Used by the vCPU's thread.
 */
final class SvmGuest {
    /** Above all VPIDs, so that nothing cached under one serves the other. */
    private static final int FIRST_ASID = 0x8000;
    private static final int FIRST_NESTED_ASID = 0xc000;

    private final SvmProcessor processor;
    private final Vmcb vmcb01;
    private final Vmcb vmcb02;
    /** Of what runs. */
    private Vmcb vmcb;

    /** @param vcpu number of the vCPU */
    SvmGuest(SvmProcessor processor, int vcpu) {
        this.processor = processor;
        this.vmcb01 = vmcb(FIRST_ASID + vcpu);
        this.vmcb02 = vmcb(FIRST_NESTED_ASID + vcpu);
        this.vmcb = vmcb01;
    }

    private static Vmcb vmcb(int asid) {
        Vmcb vmcb = new Vmcb();
        vmcb.asid = asid;
        vmcb.hltIntercept = true;
        vmcb.cpuidIntercept = true;
        vmcb.vmmcallIntercept = true;
        vmcb.xsetbvIntercept = true;
        vmcb.ioioIntercept = true;
        vmcb.msrIntercept = true;
        vmcb.nestedPaging = true;
        vmcb.hostCr0 = ControlBits.CR0_PG | ControlBits.CR0_PE | ControlBits.CR0_WP;
        vmcb.hostEfer = ControlBits.EFER_LME | ControlBits.EFER_LMA | ControlBits.EFER_NXE;
        return vmcb;
    }

    /** What runs from the next VMRUN on: a guest of the guest, or the guest itself. */
    void select(boolean inner) {
        vmcb = inner ? vmcb02 : vmcb01;
    }

    /** Of guests of the guest, for their hypervisor's intercepts. */
    Vmcb vmcb02() {
        return vmcb02;
    }

    /** Has the guest run on the nested tables of {@code root} from the next VMRUN on. */
    void program(TranslationRoot.Nested root) {
        long cr4 = ControlBits.CR4_PAE | (root.levels() == 5 ? ControlBits.CR4_LA57 : 0);
        if (vmcb.nCr3 != root.nCr3() || vmcb.hostCr4 != cr4) {
            vmcb.nCr3 = root.nCr3();
            vmcb.hostCr4 = cr4;
            // Nested tables have no root in the tags of the TLB: another root under the same ASID needs a flush.
            flush(vmcb);
        }
    }

    /** There are no tables any more; what is cached by them does not serve those that come. */
    void forget() {
        flush();
        vmcb01.nCr3 = 0;
        vmcb02.nCr3 = 0;
    }

    /** VMRUN, with the event in {@code pending}, which is taken out of it. */
    void run(Vmcs pending) {
        vmcb.inject = pending.inject;
        vmcb.injectExternal = pending.injectExternal;
        vmcb.injectNested = pending.injectNested;
        vmcb.injectVector = pending.injectVector;
        vmcb.injectErrorCode = pending.injectErrorCode;
        vmcb.injectAddress = pending.injectAddress;
        vmcb.interruptWindow = pending.interruptWindowExiting;
        vmcb.iretIntercept = pending.nmiWindowExiting;
        processor.vmrun(vmcb);
        pending.inject = false;
        vmcb.tlbControl = Vmcb.TLB_NOTHING;
    }

    /** The next VMRUN of each drops everything that is cached for the guest, and for guests of it. */
    void flush() {
        flush(vmcb01);
        flush(vmcb02);
    }

    /** The same for guests of the guest alone. */
    void flushInner() {
        flush(vmcb02);
    }

    private static void flush(Vmcb vmcb) {
        vmcb.tlbControl = Vmcb.TLB_FLUSH_ASID;
    }

    /** Drops what is cached for {@code gva} of what runs. */
    void flushPage(long gva) {
        processor.invlpga(vmcb.asid, gva);
    }

    /** Drops what is cached for {@code gva} of a guest of the guest, or of the guest itself. */
    void flushPage(boolean inner, long gva) {
        processor.invlpga((inner ? vmcb02 : vmcb01).asid, gva);
    }

    /**
     * {@code state} as it is under nested paging: with PAE paging there are no PDPTE registers (APM vol. 2, "Nested Paging", on legacy PAE
     * mode).
     */
    static PagingState withoutRegisters(PagingState state) {
        boolean registers = state.mode() == PagingMode.PAE && !state.pdptes().inMemory();
        return registers ? state.withPdptes(Pdptes.IN_MEMORY) : state;
    }

    /** {@code state} with PDPTE registers that hold what walks found in memory, for whoever uses registers next. KVM: svm_cache_reg. */
    static PagingState withRegisters(PagingState state, GuestMemory guest) {
        if (!state.pdptes().inMemory()) {
            return state;
        }
        long table = state.root();
        try {
            return state.withPdptes(
                    new Pdptes(guest.load(table, 8), guest.load(table + 8, 8), guest.load(table + 16, 8), guest.load(table + 24, 8)));
        } catch (GuestMemoryException e) {
            return state.withPdptes(Pdptes.NONE);
        }
    }
}
