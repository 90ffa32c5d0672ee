package org.penumbra.vmx;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.interrupt.Interrupts;
import org.penumbra.api.observe.Counters;
import org.penumbra.api.observe.Counters.Counter;
import org.penumbra.api.observe.TracePoint;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.vmx.Vmcs;

/**
 * Events for the guest of one vCPU: interrupts and NMIs that are pending, and what the next entry delivers. Used by the vCPU's thread, but
 * for {@link #nonMaskable}.
 */
final class Events {
    private final VirtualCpu vcpu;
    private final RegisterFile registers;
    private final Interrupts interrupts;
    private final NestedSvm svm;
    private final Counters counters;
    private final Counter injections;
    private volatile boolean nmiPending;

    Events(VirtualCpu vcpu, NestedSvm svm) {
        this.vcpu = vcpu;
        this.registers = vcpu.registers();
        this.interrupts = vcpu.interrupts();
        this.svm = svm;
        this.counters = vcpu.counters();
        this.injections = counters.counter("irq_injections");
    }

    /** An NMI has come, and is delivered when no other is being handled. Any thread. */
    void nonMaskable() {
        nmiPending = true;
    }

    /** True if something is pending that ends a HLT. KVM: kvm_arch_vcpu_runnable. */
    boolean wakes() {
        return svm.globalInterruptFlag()
                && (nmiPending && !registers.system.nmiBlocked
                || (registers.rflags & ControlBits.RFLAGS_IF) != 0 && (interrupts.pending(vcpu.id()) || virtual()));
    }

    /** A hypervisor that is a guest has an interrupt pending for its own guest, which runs. */
    private boolean virtual() {
        return vcpu.nested().running() && vcpu.nested().virtualInterrupt() >= 0;
    }

    /** True between two instructions of the guest, with nothing on its way to it. */
    private boolean between() {
        return svm.globalInterruptFlag() && !vcpu.vmcs().inject && !registers.system.vectoring && !registers.system.interruptShadow
                && registers.system.pendingDebug == 0;
    }

    /** An interrupt or an NMI has arrived that this entry does not deliver and no window waits for. */
    boolean late() {
        Vmcs vmcs = vcpu.vmcs();
        return interrupts.pending(vcpu.id()) && svm.globalInterruptFlag() && !vmcs.interruptWindowExiting && !(vmcs.inject && vmcs.injectExternal)
                || nmiPending && !vmcs.nmiWindowExiting && !vcpu.nested().running();
    }

    /** Injects an interrupt with the next entry if there is one and the guest takes it; else waits for the window. KVM: inject_pending_event. */
    void prepare() {
        int id = vcpu.id();
        if (vcpu.nested().running() && interrupts.pending(id) && vcpu.nested().interruptExits()) {
            vcpu.nested().interrupt();
        }
        int virtual = -1;
        // One of the host's comes first (APM vol. 2, "Virtual Interrupts").
        if (!interrupts.pending(id) && virtual() && between() && (registers.rflags & ControlBits.RFLAGS_IF) != 0) {
            int vector = vcpu.nested().virtualInterrupt();
            virtual = vcpu.nested().takesVirtualInterrupt() ? vector : -1;
        }
        Vmcs vmcs = vcpu.vmcs();
        boolean inner = vcpu.nested().running();
        boolean between = between();
        if (nmiPending && between && !registers.system.nmiBlocked && !inner) {
            nmiPending = false;
            registers.system.nmiBlocked = true;
            external(GuestException.NMI);
            counters.counter("nmi_injections").increment();
            between = false;
        }
        // A guest of the guest is not interrupted by it: NMI exiting of a hypervisor under this one is not modelled.
        vmcs.nmiWindowExiting = nmiPending && !inner;
        boolean open = between && (registers.rflags & ControlBits.RFLAGS_IF) != 0;
        if (open && interrupts.pending(id)) {
            int vector = interrupts.acknowledge(id);
            if (vector >= 0) {
                external(vector);
                injections.increment();
                if (vcpu.tracer().on(TracePoint.KVM_INJ_VIRQ)) {
                    vcpu.tracer().tell(TracePoint.KVM_INJ_VIRQ, vector, 0);
                }
            }
        }
        if (virtual >= 0) {
            external(virtual);
        }
        // STGI exits, and is looked at then.
        vmcs.interruptWindowExiting = (interrupts.pending(id) || virtual()) && svm.globalInterruptFlag();
    }

    /** Injects the exception {@code vector}; one of a guest's guest that its hypervisor intercepts is an exit to that instead. */
    void exception(int vector, int errorCode, long address) {
        GuestHypervisor nested = vcpu.nested();
        if (nested.running() && nested.intercepts(vector)) {
            nested.exception(vector, errorCode, address);
            return;
        }
        if (vcpu.tracer().on(TracePoint.KVM_INJ_EXCEPTION)) {
            vcpu.tracer().tell(TracePoint.KVM_INJ_EXCEPTION, vector, errorCode, address, 0);
        }
        inject(vector, errorCode, address, false, false);
    }

    /** Has the next entry deliver the event that the guest injects into its own guest, external or an exception. */
    void byGuest(int vector, int errorCode, long address, boolean external) {
        inject(vector, errorCode, address, external, true);
    }

    /** Writes for a snapshot what is pending. */
    void save(DataOutput out) throws IOException {
        Vmcs vmcs = vcpu.vmcs();
        out.writeBoolean(nmiPending);
        out.writeBoolean(vmcs.inject);
        out.writeBoolean(vmcs.injectExternal);
        out.writeBoolean(vmcs.injectNested);
        out.writeInt(vmcs.injectVector);
        out.writeInt(vmcs.injectErrorCode);
        out.writeLong(vmcs.injectAddress);
    }

    /** Takes what was pending. */
    void restore(DataInput in) throws IOException {
        Vmcs vmcs = vcpu.vmcs();
        nmiPending = in.readBoolean();
        vmcs.inject = in.readBoolean();
        vmcs.injectExternal = in.readBoolean();
        vmcs.injectNested = in.readBoolean();
        vmcs.injectVector = in.readInt();
        vmcs.injectErrorCode = in.readInt();
        vmcs.injectAddress = in.readLong();
    }

    private void external(int vector) {
        inject(vector, 0, 0, true, false);
    }

    private void inject(int vector, int errorCode, long address, boolean external, boolean nested) {
        Vmcs vmcs = vcpu.vmcs();
        vmcs.inject = true;
        vmcs.injectExternal = external;
        vmcs.injectNested = nested;
        vmcs.injectVector = vector;
        vmcs.injectErrorCode = errorCode;
        vmcs.injectAddress = address;
    }
}
