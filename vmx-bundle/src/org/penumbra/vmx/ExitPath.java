package org.penumbra.vmx;

import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.clock.Work;
import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.cpu.GuestOperation;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.observe.TracePoint;
import org.penumbra.api.observe.Tracing;
import org.penumbra.api.paging.NestedPageFault;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.api.vmx.ExitRecord;

/**
 * The way of an exit of one vCPU: to the guest hypervisor that sees it, else to its handler in the exit table; its cycles are counted. Used by
 * the vCPU's thread.
 */
final class ExitPath {
    private static final int EINVAL = 22;

    private final VirtualMachine machine;
    private final VirtualCpu vcpu;
    private final GuestModes modes;
    private final ModificationLog modificationLog;
    private final Tracing.Tracer tracer;
    private final long transition;
    private final long trap;

    ExitPath(VirtualMachine machine, VirtualCpu vcpu, GuestModes modes, ModificationLog modificationLog, CostProfile profile) {
        this.machine = machine;
        this.vcpu = vcpu;
        this.modes = modes;
        this.modificationLog = modificationLog;
        this.tracer = vcpu.tracer();
        this.transition = profile.figure(Work.EXIT.key());
        this.trap = profile.figure(Work.TRAP.key());
    }

    /** True if the guest goes on after {@code exit}, false if it has powered the machine off. */
    boolean take(ExitRecord exit) {
        if (modes.deprivileged()) {
            modes.decode(exit, vcpu.engine().operation(), vcpu.registers());
        }
        modificationLog.drain();
        int reason = exit.reason;
        boolean malformed = reason == ExitReason.EPT_MISCONFIG.number() || reason == ExitReason.SPP_EVENT.number()
                || reason == ExitReason.NPF.number() && (exit.qualification & NestedPageFault.RESERVED) != 0;
        if (tracer.on(TracePoint.KVM_EXIT)) {
            tracer.tell(TracePoint.KVM_EXIT, reason, exit.qualification, exit.guestLinear, exit.guestPhysical);
        }
        long before = vcpu.clock().total();
        machine.exitCount.increment();
        if (vcpu.nested().running() && vcpu.nested().took(exit)) {
            vcpu.exits.add(reason, vcpu.clock().total() - before + transition);
            return true;
        }
        boolean own = modes.deprivileged() && reason == ExitReason.EXCEPTION_NMI.number() && exit.vector != GuestException.PF;
        Disposition disposition = own ? exception(exit) : machine.dispatch.handler(reason).handle(vcpu, exit);
        vcpu.exits.add(reason, vcpu.clock().total() - before + (modes.deprivileged() ? trap : transition));
        if (disposition.code() > 0) {
            return true;
        }
        if (disposition.code() == 0 && machine.ports.poweredOff()) {
            return false;
        }
        if (malformed && disposition.code() == -EINVAL) {
            throw vcpu.attachment().guard().fail(Misconduct.BAD_STRUCTURES, disposition.reason());
        }
        throw new MachineException(
                "vCPU " + vcpu.id() + " stopped at " + ExitReason.of(reason) + ": " + disposition.reason()
                        + (disposition.code() < 0 ? " (error " + -disposition.code() + ")" : ""));
    }

    /** A trap of a de-privileged guest that has no counterpart under VMX. */
    private Disposition exception(ExitRecord exit) {
        GuestOperation operation = vcpu.engine().operation();
        if (operation.kind == GuestOperation.Kind.CHANGE_PRIVILEGE) {
            RegisterFile registers = vcpu.registers();
            registers.cpl = operation.function;
            registers.rflags = operation.value;
            vcpu.engine().skip();
        } else {
            vcpu.events().exception(exit.vector, exit.errorCode, 0);
        }
        return Disposition.RESUME;
    }
}
