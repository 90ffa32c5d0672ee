package org.penumbra.vmx.exit;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.cpu.ExtendedState;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vcpu;
import org.penumbra.api.vmx.VmExitHandler;

/**
 * CPUID in the guest's stead: what the processor answers, less the features whose CR4 bits the MMU cannot serve, and with the bit that
 * says "hypervisor". KVM: kvm_emulate_cpuid.
 */
@Component(property = VmExitHandler.EXIT_REASON + "=CPUID")
public final class CpuidExit implements VmExitHandler {
    private static final int HYPERVISOR = 1 << 31;
    private static final int APIC = 1 << 9;
    private static final int X2APIC = 1 << 21;
    private static final int PCID = 1 << 17;
    private static final int SMEP = 1 << 7;
    private static final int SMAP = 1 << 20;
    private static final int PKU = 1 << 3;
    private static final int LA57 = 1 << 16;
    private static final int PKS = 1 << 31;
    /** Of leaf 8000_0001H. */
    private static final int SVM = 1 << 2;
    private static final int SVM_LEAF = 0x8000_000a;
    private static final int NESTED_PAGING = 1;
    private static final int FLUSH_BY_ASID = 1 << 6;

    @Override
    public Disposition handle(Vcpu vcpu, ExitRecord exit) {
        long[] gpr = vcpu.registers().gpr;
        int leaf = (int) gpr[RegisterFile.RAX];
        int[] answer = new int[4];
        vcpu.processor().hostCpuid(leaf, (int) gpr[RegisterFile.RCX], answer);
        long hidden = vcpu.controlDemand().hiddenCr4();
        if (leaf == 1) {
            // KVM: a guest that has disabled its APIC does not see it.
            answer[3] |= vcpu.localApic().enabled() ? APIC : 0;
            answer[2] = X2APIC | hide(answer[2], PCID, hidden, ControlBits.CR4_PCIDE) | HYPERVISOR;
        } else if (leaf == 7) {
            answer[1] = hide(answer[1], SMEP, hidden, ControlBits.CR4_SMEP);
            answer[1] = hide(answer[1], SMAP, hidden, ControlBits.CR4_SMAP);
            answer[2] = hide(answer[2], PKU, hidden, ControlBits.CR4_PKE);
            answer[2] = hide(answer[2], LA57, hidden, ControlBits.CR4_LA57);
            answer[2] = hide(answer[2], PKS, hidden, ControlBits.CR4_PKS);
        }
        if (leaf == 0xd && (hidden & ControlBits.CR4_PKE) != 0) {
            hideKeys((int) gpr[RegisterFile.RCX], answer);
        }
        if (vcpu.hasSvm()) {
            svm(leaf, vcpu.nests(), answer);
        }
        gpr[RegisterFile.RAX] = answer[0] & 0xffff_ffffL;
        gpr[RegisterFile.RBX] = answer[1] & 0xffff_ffffL;
        gpr[RegisterFile.RCX] = answer[2] & 0xffff_ffffL;
        gpr[RegisterFile.RDX] = answer[3] & 0xffff_ffffL;
        vcpu.engine().skip();
        return Disposition.RESUME;
    }

    /** APM vol. 3, "Function 8000_000Ah—SVM Features": revision 1, 2^15 ASIDs, TLB flushes by ASID, and nested paging if there is. */
    private static void svm(int leaf, boolean nests, int[] answer) {
        if (leaf == 0x8000_0000) {
            answer[0] = SVM_LEAF;
        } else if (leaf == 0x8000_0001) {
            answer[2] |= SVM;
        } else if (leaf == SVM_LEAF) {
            answer[0] = 1;
            answer[1] = 1 << 15;
            answer[3] = FLUSH_BY_ASID | (nests ? NESTED_PAGING : 0);
        }
    }

    /** The state of protection keys, component 9 of XSAVE's. */
    private static void hideKeys(int subleaf, int[] answer) {
        if (subleaf == 0) {
            answer[0] &= (int) ~ExtendedState.PKRU;
            answer[2] = ExtendedState.bytes(answer[0]);
        } else if (1L << subleaf == ExtendedState.PKRU) {
            answer[0] = answer[1] = answer[2] = answer[3] = 0;
        }
    }

    private static int hide(int features, int feature, long hidden, long bit) {
        return (hidden & bit) != 0 ? features & ~feature : features;
    }
}
