package org.penumbra.vmx;

import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.cpu.Segments;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.ControlRegisterRules;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.svm.VmcbField;

/**
 * Registers that VMRUN, #VMEXIT, VMLOAD and VMSAVE move between a vCPU and the state-save area of VMCB12 (APM vol. 2, "Basic Operation" and
 * "VMSAVE and VMLOAD Instructions"), and the checks of VMRUN. KVM: nested_vmcb02_prepare_save, nested_svm_vmexit, svm_copy_vmloadsave_state.
 */
final class SvmState {
    private static final int RSP = 4;
    /** RFLAGS bit 1 is always 1. */
    private static final long RFLAGS_RESET = 2;
    private static final long DR7_RESET = 0x400;
    private static final VmcbField[] SEGMENTS = {VmcbField.ES, VmcbField.CS, VmcbField.SS, VmcbField.DS};

    private final RegisterFile registers;

    SvmState(RegisterFile registers) {
        this.registers = registers;
    }

    /** What the host is while a guest runs: what VMRUN keeps of it, wherever VM_HSAVE_PA may point. */
    static final class Host {
        final PagingState paging;
        private final long rflags;
        private final long rax;
        private final long rsp;
        private final Segments segments = new Segments();

        private Host(RegisterFile r) {
            paging = r.paging;
            rflags = r.rflags;
            rax = r.gpr[RegisterFile.RAX];
            rsp = r.gpr[RSP];
            copy(r.segments, segments);
        }

        /** True if the host takes interrupts. */
        boolean interruptible() {
            return (rflags & ControlBits.RFLAGS_IF) != 0;
        }
    }

    Host host() {
        return new Host(registers);
    }

    /** #VMEXIT gives the host its registers back, at CPL 0 and with DR7 disabled; the paging state is the caller's to load. */
    void restore(Host host) {
        registers.rflags = host.rflags;
        registers.gpr[RegisterFile.RAX] = host.rax;
        registers.gpr[RSP] = host.rsp;
        registers.cpl = 0;
        registers.system.debug[7] = DR7_RESET;
        registers.system.interruptShadow = false;
        copy(host.segments, registers.segments);
    }

    private static void copy(Segments from, Segments to) {
        for (int s = Segments.ES; s <= Segments.DS; s++) {
            to.set(s, from.selector[s], from.base[s], from.limit[s], from.rights[s]);
        }
        to.gdtBase = from.gdtBase;
        to.gdtLimit = from.gdtLimit;
        to.idtBase = from.idtBase;
        to.idtLimit = from.idtLimit;
    }

    /** The paging state of the guest in {@code vmcb}: LMA is what PG and LME make it. PDPTEs of PAE paging are in memory. */
    PagingState paging(Vmcb12 vmcb) {
        long cr0 = vmcb.get(VmcbField.CR0);
        long efer = ControlRegisterRules.efer(cr0, vmcb.get(VmcbField.EFER));
        return SvmGuest.withoutRegisters(new PagingState(
                cr0, vmcb.get(VmcbField.CR3), vmcb.get(VmcbField.CR4), efer, registers.paging.pkru(), registers.paging.pkrs()));
    }

    /**
     * May VMRUN enter a guest in {@code state}? APM vol. 2, "Canonicalization and Consistency Checks". Paged real mode, PG without PE, is not
     * modelled and refused.
     */
    static boolean allowed(PagingState state, Vmcb12 vmcb, int physicalAddressBits, int linearAddressBits) {
        long efer = vmcb.get(VmcbField.EFER);
        return (efer & ControlBits.EFER_SVME) != 0
                && ControlRegisterRules.eferAllowedWithSvm(efer, efer, state.cr0())
                && ControlRegisterRules.cr0Allowed(state.cr0(), state.cr4(), state.efer())
                && ControlRegisterRules.cr3Allowed(state.cr3(), 0, 1L << physicalAddressBits)
                && !state.has4(ControlBits.CR4_VMXE)
                && ControlRegisterRules.cr4Allowed(state.cr4(), state.cr4(), state.cr3(), state.efer(), linearAddressBits)
                && vmcb.get(VmcbField.DR6) >>> 32 == 0 && vmcb.get(VmcbField.DR7) >>> 32 == 0;
    }

    /** VMRUN loads the guest's registers but for its paging state. */
    void load(Vmcb12 vmcb, GuestState guest) {
        for (int s = 0; s < SEGMENTS.length; s++) {
            vmcb.load(SEGMENTS[s], registers.segments, s);
        }
        registers.segments.gdtBase = vmcb.base(VmcbField.GDTR);
        registers.segments.gdtLimit = vmcb.limit(VmcbField.GDTR);
        registers.segments.idtBase = vmcb.base(VmcbField.IDTR);
        registers.segments.idtLimit = vmcb.limit(VmcbField.IDTR);
        registers.rflags = vmcb.get(VmcbField.RFLAGS) | RFLAGS_RESET;
        registers.gpr[RegisterFile.RAX] = vmcb.get(VmcbField.RAX);
        registers.gpr[RSP] = vmcb.get(VmcbField.RSP);
        registers.cpl = (int) vmcb.get(VmcbField.CPL) & 3;
        registers.cr2 = vmcb.get(VmcbField.CR2);
        registers.system.debug[6] = vmcb.get(VmcbField.DR6);
        registers.system.debug[7] = vmcb.get(VmcbField.DR7);
        registers.system.interruptShadow = (vmcb.get(VmcbField.INTERRUPT_SHADOW) & 1) != 0;
        guest.next = (int) vmcb.get(VmcbField.RIP);
    }

    /** #VMEXIT saves the guest's. */
    void save(Vmcb12 vmcb, GuestState guest) {
        for (int s = 0; s < SEGMENTS.length; s++) {
            vmcb.save(SEGMENTS[s], registers.segments, s);
        }
        vmcb.saveTable(VmcbField.GDTR, registers.segments.gdtBase, registers.segments.gdtLimit);
        vmcb.saveTable(VmcbField.IDTR, registers.segments.idtBase, registers.segments.idtLimit);
        PagingState state = registers.paging;
        vmcb.set(VmcbField.EFER, state.efer());
        vmcb.set(VmcbField.CR0, state.cr0());
        vmcb.set(VmcbField.CR3, state.cr3());
        vmcb.set(VmcbField.CR4, state.cr4());
        vmcb.set(VmcbField.CR2, registers.cr2);
        vmcb.set(VmcbField.DR6, registers.system.debug[6]);
        vmcb.set(VmcbField.DR7, registers.system.debug[7]);
        vmcb.set(VmcbField.RFLAGS, registers.rflags);
        vmcb.set(VmcbField.RIP, guest.next);
        vmcb.set(VmcbField.RSP, registers.gpr[RSP]);
        vmcb.set(VmcbField.RAX, registers.gpr[RegisterFile.RAX]);
        vmcb.set(VmcbField.CPL, registers.cpl);
        vmcb.set(VmcbField.INTERRUPT_SHADOW, registers.system.interruptShadow ? 1 : 0);
    }

    /** VMLOAD: what VMRUN leaves as it is. */
    void vmload(Vmcb12 vmcb) {
        vmcb.load(VmcbField.FS, registers.segments, Segments.FS);
        vmcb.load(VmcbField.GS, registers.segments, Segments.GS);
        vmcb.load(VmcbField.TR, registers.segments, Segments.TR);
        vmcb.load(VmcbField.LDTR, registers.segments, Segments.LDTR);
        registers.system.kernelGsBase = vmcb.get(VmcbField.KERNEL_GS_BASE);
        registers.system.star = vmcb.get(VmcbField.STAR);
        registers.system.lstar = vmcb.get(VmcbField.LSTAR);
        registers.system.cstar = vmcb.get(VmcbField.CSTAR);
        registers.system.fmask = vmcb.get(VmcbField.SFMASK);
        registers.system.sysenterCs = vmcb.get(VmcbField.SYSENTER_CS);
        registers.system.sysenterEsp = vmcb.get(VmcbField.SYSENTER_ESP);
        registers.system.sysenterEip = vmcb.get(VmcbField.SYSENTER_EIP);
    }

    void vmsave(Vmcb12 vmcb) {
        vmcb.save(VmcbField.FS, registers.segments, Segments.FS);
        vmcb.save(VmcbField.GS, registers.segments, Segments.GS);
        vmcb.save(VmcbField.TR, registers.segments, Segments.TR);
        vmcb.save(VmcbField.LDTR, registers.segments, Segments.LDTR);
        vmcb.set(VmcbField.KERNEL_GS_BASE, registers.system.kernelGsBase);
        vmcb.set(VmcbField.STAR, registers.system.star);
        vmcb.set(VmcbField.LSTAR, registers.system.lstar);
        vmcb.set(VmcbField.CSTAR, registers.system.cstar);
        vmcb.set(VmcbField.SFMASK, registers.system.fmask);
        vmcb.set(VmcbField.SYSENTER_CS, registers.system.sysenterCs);
        vmcb.set(VmcbField.SYSENTER_ESP, registers.system.sysenterEsp);
        vmcb.set(VmcbField.SYSENTER_EIP, registers.system.sysenterEip);
    }
}
