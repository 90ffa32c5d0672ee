package org.penumbra.vmx.exit;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.guest.Hypercall;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vcpu;
import org.penumbra.api.vmx.VmExitHandler;

/** VMCALL: the hypercalls of {@link Hypercall}; the guest learns of others that there are none. KVM: {@code kvm_emulate_hypercall}. */
@Component(property = VmExitHandler.EXIT_REASON + "=VMCALL")
public final class VmcallExit implements VmExitHandler {
    @Override
    public Disposition handle(Vcpu vcpu, ExitRecord exit) {
        vcpu.counters().counter("hypercalls").increment();
        vcpu.registers().gpr[RegisterFile.RAX] = answer(vcpu, vcpu.registers().gpr);
        vcpu.engine().skip();
        return Disposition.RESUME;
    }

    private static long answer(Vcpu vcpu, long[] gpr) {
        if (gpr[RegisterFile.RAX] != Hypercall.CR3_SLOT) {
            return -Hypercall.ENOSYS;
        }
        if (vcpu.registers().cpl != 0) {
            return -Hypercall.EPERM;
        }
        return vcpu.cr3Slot(gpr[RegisterFile.RBX], gpr[RegisterFile.RCX]) ? 0 : -Hypercall.EFAULT;
    }
}
