package org.penumbra.vmx;

import org.penumbra.api.clock.Work;
import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.cpu.GuestOperation;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.api.svm.Vmcb;
import org.penumbra.api.svm.VmcbField;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.api.vmx.Vmcs;

/**
 * SVM for one vCPU's guest, as its own instructions see it, each of which exits: APM vol. 2, "Secure Virtual Machine". KVM: {@code struct
 * svm_nested_state}, nested_svm_vmrun, nested_svm_vmexit. Used by the vCPU's thread.
 */
final class NestedSvm {
    private static final int NO_ASID = 0;

    private final VirtualCpu vcpu;
    private final SvmState state;
    private final NestedRun run;
    /** The global interrupt flag. */
    private boolean gif = true;
    private long hostSaveArea;
    private Vmcb12 vmcb12;
    private SvmControls controls;
    private SvmState.Host host;
    /** The guest that runs has taken its virtual interrupt. */
    private boolean virtualTaken;
    /** Whose translations are cached for L2s. */
    private int lastAsid = NO_ASID;

    NestedSvm(VirtualCpu vcpu) {
        this.vcpu = vcpu;
        this.state = new SvmState(vcpu.registers());
        this.run = new NestedRun(vcpu.counters());
    }

    /** Which of the guest and its guest runs. */
    NestedRun run() {
        return run;
    }

    /** What VMCB12 says of the guest that runs. */
    SvmControls controls() {
        return controls;
    }

    /** What the hypervisor of the guest that runs has left at VMRUN. */
    SvmState.Host host() {
        return host;
    }

    /** False if the guest holds interrupts back, whatever its RFLAGS.IF (APM vol. 2, "Global Interrupt Flag, STGI and CLGI Instructions"). */
    boolean globalInterruptFlag() {
        return gif;
    }

    /** EFER.SVME is 0: GIF is 1, as KVM has it (svm_set_efer). */
    void disabled() {
        gif = true;
    }

    long hostSaveArea() {
        return hostSaveArea;
    }

    boolean hostSaveArea(long gpa) {
        if (valid(gpa)) {
            hostSaveArea = gpa;
            return true;
        }
        return false;
    }

    /** Aligned to 4 KiB, and not beyond the physical-address width. */
    private boolean valid(long gpa) {
        return (gpa & 0xfff) == 0 && gpa >>> vcpu.physicalAddressBits() == 0;
    }

    /** Executes the instruction {@code operation} in the guest's stead; the processor has looked at EFER.SVME and CPL. */
    Disposition execute(GuestOperation operation) {
        long rax = vcpu.registers().gpr[RegisterFile.RAX];
        switch (ExitReason.of(operation.function)) {
            case STGI:
                gif = true;
                vcpu.engine().skip();
                break;
            case CLGI:
                gif = false;
                vcpu.engine().skip();
                break;
            case INVLPGA:
                invlpga(rax, (int) vcpu.registers().gpr[RegisterFile.RCX]);
                vcpu.engine().skip();
                break;
            case VMRUN:
                vmrun(rax);
                break;
            default:
                move(rax, ExitReason.of(operation.function) == ExitReason.VMLOAD);
        }
        return Disposition.RESUME;
    }

    /** VMLOAD or VMSAVE. RAX is an address of L1, also in an L2 that L1 does not keep from them (APM vol. 2, "VMSAVE and VMLOAD Instructions"). */
    private void move(long rax, boolean load) {
        Vmcb12 vmcb = at(rax);
        if (vmcb == null) {
            return;
        }
        if (load) {
            state.vmload(vmcb);
        } else {
            state.vmsave(vmcb);
        }
        vcpu.engine().skip();
    }

    /** The VMCB at {@code rax}; null, with #GP injected, if none can be there. */
    private Vmcb12 at(long rax) {
        Vmcb12 vmcb = new Vmcb12(rax, vcpu.guestMemory(), vcpu::put);
        if (valid(rax) && vmcb.there()) {
            return vmcb;
        }
        vcpu.injectGeneralProtection();
        return null;
    }

    /** Under ASID 0 it is L1's own address space; of the others that of the last L2 alone has anything cached. */
    private void invlpga(long gva, int asid) {
        vcpu.flushes().invlpga(asid, gva, asid == 0 || asid == lastAsid);
    }

    private void vmrun(long rax) {
        if (hostSaveArea == 0) {
            // KVM: nested_svm_vmrun, without VM_HSAVE_PA.
            vcpu.injectGeneralProtection();
            return;
        }
        Vmcb12 vmcb = at(rax);
        if (vmcb == null) {
            return;
        }
        vcpu.engine().skip();
        vcpu.clock().charge(Work.NESTED_SWITCH);
        SvmControls wanted = new SvmControls(vmcb);
        PagingState l1 = vcpu.registers().paging;
        PagingState l2 = state.paging(vmcb);
        boolean allowed = wanted.allowed(l1, vcpu.nests(), vcpu.physicalAddressBits())
                && SvmState.allowed(l2, vmcb, vcpu.physicalAddressBits(), vcpu.linearAddressBits());
        if (!allowed) {
            information(vmcb, Vmcb.VMEXIT_INVALID, 0, 0);
            gif = false;
            return;
        }
        String unmodelled = wanted.unmodelled(l1);
        GuestState guest = vcpu.guest().guests.get(vmcb.gpa);
        if (!unmodelled.isEmpty() || guest == null) {
            throw new MachineException(String.format("the guest enters a guest by the VMCB at 0x%x, and %s", vmcb.gpa,
                    guest == null ? "no guest of that VMCB is there" : "asks for what is not modelled: " + unmodelled));
        }
        vmcb12 = vmcb;
        controls = wanted;
        virtualTaken = false;
        host = state.host();
        run.enter(vcpu.guest());
        gif = true;
        flush();
        state.load(vmcb, guest);
        // What is cached for L1 and for L2 is told apart by their ASIDs.
        vcpu.become(guest, l2, true);
        inject();
    }

    /**
     * What L1 wants dropped of L2: by TLB_CONTROL, and for an ASID that is not that of what is cached everything, which is more than has to be
     * (APM vol. 2, "TLB Control"). Guest-physical mappings belong to an ASID, so nothing derived from any of L1's tables may be old then.
     */
    private void flush() {
        if (controls.tlbControl == Vmcb.TLB_NOTHING && controls.asid == lastAsid) {
            return;
        }
        lastAsid = controls.asid;
        vcpu.flushes().vmrun(controls.tlbControl, controls.asid);
        TranslationRoot tables = tables12();
        if (tables != null) {
            vcpu.flushes().tables(true, tables);
        }
    }

    /** The tables of L1 by which L2's addresses are translated; null if there are none. */
    TranslationRoot tables12() {
        return controls.tables(host.paging);
    }

    /** The event in EVENTINJ; the address of a #PF is in the guest's CR2, which VMRUN has loaded. */
    private void inject() {
        if (controls.injects()) {
            vcpu.events().byGuest(controls.eventVector(), controls.eventErrorCode(), vcpu.registers().cr2, controls.eventIsInterrupt());
        }
    }

    /** The virtual interrupt that L1 has pending for L2, −1 for none. */
    int virtualInterrupt() {
        return virtualTaken ? -1 : controls.virtualInterrupt();
    }

    /** L2 takes it. */
    void takeVirtualInterrupt() {
        virtualTaken = true;
    }

    /** An exit from L2 that L1 sees: L2's registers go into VMCB12, and L1 goes on behind its VMRUN with GIF = 0. */
    void exit(long code, long info1, long info2) {
        vcpu.clock().charge(Work.NESTED_SWITCH);
        state.save(vmcb12, vcpu.guest());
        if (virtualTaken) {
            vmcb12.set(VmcbField.V_INTR, SvmControls.withoutVirtualInterrupt(vmcb12.get(VmcbField.V_INTR)));
        }
        information(vmcb12, code, info1, info2);
        gif = false;
        state.restore(host);
        GuestState l1 = run.leave();
        // Protection keys are none of VMRUN's.
        PagingState last = vcpu.registers().paging;
        vcpu.become(l1, host.paging.withPkru(last.pkru()).withPkrs(last.pkrs()), true);
    }

    /** The exit fields; an event that L2 has not got yet is L1's to inject again, and the valid bit of what was to be injected is cleared. */
    private void information(Vmcb12 vmcb, long code, long info1, long info2) {
        vmcb.set(VmcbField.EXITCODE, code);
        vmcb.set(VmcbField.EXITINFO1, info1);
        vmcb.set(VmcbField.EXITINFO2, info2);
        vmcb.set(VmcbField.EXITINTINFO, run.running() ? undelivered(vcpu.vmcs()) : 0);
        vmcb.set(VmcbField.EVENTINJ, SvmControls.invalid(vmcb.get(VmcbField.EVENTINJ)));
    }

    private long undelivered(Vmcs pending) {
        if (!pending.inject) {
            return 0;
        }
        pending.inject = false;
        if (pending.injectNested) {
            return controls.eventInj;
        }
        boolean code = !pending.injectExternal && pending.injectVector != GuestException.UD;
        return SvmControls.event(pending.injectVector, pending.injectExternal, code, pending.injectErrorCode);
    }
}
