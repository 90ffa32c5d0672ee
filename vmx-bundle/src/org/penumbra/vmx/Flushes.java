package org.penumbra.vmx;

import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.clock.Work;
import org.penumbra.api.observe.Counters.Counter;
import org.penumbra.api.observe.TranslationObserver;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.api.svm.Vmcb;
import org.penumbra.api.vmx.Vmcs;
import org.penumbra.api.vmx.VmxProcessor;

/**
 * Drops translations that one vCPU's processor has cached, for its MMU or because a guest that is a hypervisor says so. Used by the vCPU's
 * thread, or while that is parked.
 */
final class Flushes {
    /** INVPCID of everything, globals included. */
    private static final int ALL_CONTEXTS = 2;
    /** INVVPID of a context but for global translations. */
    private static final int CONTEXT_BUT_GLOBALS = 3;

    private final VirtualCpu vcpu;
    private final GuestModes modes;
    private final VmxProcessor processor;
    private final int vpid01;
    private final int vpid02;
    private final NestedRun nestedVmx;
    private final TranslationObserver checker;
    private final Counter flushes;

    /**
     * @param vpid01 the guest's
     * @param vpid02 that of its guests
     * @param nestedVmx whether it has any by VMX
     * @param checker null if the run is not compared with the specification
     */
    Flushes(VirtualCpu vcpu, GuestModes modes, int vpid01, int vpid02, NestedRun nestedVmx, TranslationObserver checker) {
        this.vcpu = vcpu;
        this.modes = modes;
        this.processor = vcpu.processor();
        this.vpid01 = vpid01;
        this.vpid02 = vpid02;
        this.nestedVmx = nestedVmx;
        this.checker = checker;
        this.flushes = vcpu.counters().counter("tlb_flush");
    }

    /** Drops what this vCPU's TLBs hold for {@code gva}. */
    void page(long gva) {
        flushes.increment();
        vcpu.clock().charge(Work.FLUSH_PAGE);
        modes.flushPage(vcpu.vmcs(), gva);
    }

    /** Drops what this vCPU's TLBs hold of linear addresses, but for global translations where VPIDs can tell them apart. */
    void butGlobals() {
        flushes.increment();
        vcpu.clock().charge(Work.FLUSH_CONTEXT);
        if (!modes.flush()) {
            processor.invvpidContextRetainingGlobals(vcpu.vmcs().vpid);
        }
    }

    /** Drops everything that this vCPU's TLBs hold for its guest, at the cost of {@code payer}. */
    void all(CycleClock payer) {
        flushes.increment();
        payer.charge(Work.FLUSH_CONTEXT);
        if (modes.flush()) {
            return;
        }
        Vmcs vmcs = vcpu.vmcs();
        // Guest-physical and combined mappings are tagged by the EPT root and survive INVVPID as far as they have no VPID.
        processor.invvpidContext(vpid01);
        if (nestedVmx.ran()) {
            // Each root of a guest's guests tags what is cached by it.
            processor.invvpidContext(vpid02);
            processor.inveptAll();
        } else if (vmcs.enableEpt) {
            processor.inveptContext(vmcs.eptp);
        }
    }

    /** Drops what is cached under the VPID of what runs. */
    void vpid() {
        vcpu.clock().charge(Work.FLUSH_CONTEXT);
        processor.invvpidContext(vcpu.vmcs().vpid);
    }

    /** INVVPID of the guest. All of its guests' translations have one VPID; dropping more is allowed. */
    void invvpid(int type, int vpid, long gva) {
        vcpu.clock().charge(Work.FLUSH_CONTEXT);
        processor.invvpidContext(vpid02);
        if (vcpu.controlDemand().interceptCr3Loads()) {
            // What was derived from its guests' tables is as old as what was cached of them. KVM: kvm_mmu_free_guest_mode_roots.
            vcpu.mmu().invalidatePcid(ALL_CONTEXTS, 0, 0);
        }
        if (checker != null) {
            checker.invalidatedVpid(vcpu.id(), type, vpid, gva);
        }
    }

    /**
     * VMRUN of the guest flushes, because of its {@code tlbControl}, or because what is cached for its guests is another's than {@code asid}'s.
     */
    void vmrun(int tlbControl, int asid) {
        if (checker != null && tlbControl == Vmcb.TLB_FLUSH_ASID_BUT_GLOBALS) {
            checker.invalidatedVpid(vcpu.id(), CONTEXT_BUT_GLOBALS, asid, 0);
        } else if (checker != null && tlbControl != Vmcb.TLB_NOTHING) {
            checker.flushedAsid(vcpu.id(), tlbControl == Vmcb.TLB_FLUSH_ALL, asid);
        }
        vcpu.clock().charge(Work.FLUSH_CONTEXT);
        if (tlbControl == Vmcb.TLB_FLUSH_ALL) {
            modes.svm().flush();
        } else {
            modes.svm().flushInner();
        }
    }

    /**
     * INVLPGA of the guest: of what is cached for its guests under {@code asid}, or for itself under 0.
     *
     * @param cached something may be
     */
    void invlpga(int asid, long gva, boolean cached) {
        if (cached) {
            vcpu.clock().charge(Work.FLUSH_PAGE);
            modes.svm().flushPage(asid != 0, gva);
        }
        if (checker != null && asid != 0) {
            checker.invalidatedVpid(vcpu.id(), 0, asid, gva);
        } else if (checker != null) {
            checker.invalidatedPage(vcpu.id(), gva);
        }
    }

    /** What is derived from the tables that {@code tables12} names, or from all of them, is to be as they are: INVEPT, or a flush by VMRUN. */
    void tables(boolean all, TranslationRoot tables12) {
        if (vcpu.nests()) {
            vcpu.attachment().nestedContext(vcpu.id()).invalidateTables(all, tables12);
        }
        if (checker != null && tables12 instanceof TranslationRoot.TwoDimensional) {
            checker.invalidatedEpt(vcpu.id(), all, tables12.register());
        }
    }
}
