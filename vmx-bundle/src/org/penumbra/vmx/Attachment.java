package org.penumbra.vmx;

import java.util.Map;
import java.util.function.Consumer;
import org.penumbra.api.cpu.VirtualizationExtension;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.mmu.ControlDemand;
import org.penumbra.api.mmu.MmuContext;
import org.penumbra.api.mmu.MmuFactory;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.vmx.memory.IsolationAudit;
import org.penumbra.vmx.memory.Lease;

/** One MMU in one machine, from the first call into its factory until its lease is given back. */
final class Attachment {
    private final VirtualMachine machine;
    private final Plugin<MmuFactory> plugin;
    private final Map<String, String> chosen;
    private final Lease lease;
    private final Guard guard;
    private final PluginTracking tracking;
    private volatile GuardedMmu mmu;
    private VirtualizationExtension extension;
    private ControlDemand demand;
    private GuardedContext[] contexts;
    private GuardedNested[] nested;

    /** Nothing is called yet. {@code chosen} are the settings that differ from their defaults. */
    Attachment(VirtualMachine machine, Plugin<MmuFactory> plugin, Map<String, String> chosen) {
        this.machine = machine;
        this.plugin = plugin;
        this.chosen = chosen;
        this.lease = machine.memory.newLease();
        this.guard = new Guard(plugin.title(), (what, report) -> machine.swapper().failed(this, report));
        this.tracking = new PluginTracking(machine.tracking, lease.fence(), guard);
    }

    /**
     * Makes the MMU and a context for each vCPU; nothing of the machine is changed.
     *
     * @throws MachineException if the design objects to the guest as it is now, or to a setting
     */
    void make() {
        MmuFactory factory = plugin.service();
        extension = guard.call("MmuFactory.extension", factory::extension);
        for (VirtualCpu vcpu : machine.vcpus) {
            String objection = guard.call("MmuFactory.objection", () -> factory.objection(vcpu.registers().paging));
            if (objection.isEmpty() && vcpu.hasSvmEnabled() && extension != VirtualizationExtension.SVM) {
                objection = "it has SVM enabled, and under the design a guest has none";
            }
            if (!objection.isEmpty()) {
                throw new MachineException("design " + plugin.title() + " cannot run the guest as it is now: " + objection);
            }
        }
        Map<String, String> settings = Settings.of(plugin, chosen);
        MmuServices services = new MmuServices(machine, plugin.name(), settings, lease, tracking);
        GuardedMmu made = new GuardedMmu(() -> factory.create(services), guard, lease);
        demand = made.controlDemand();
        contexts = new GuardedContext[machine.vcpus.length];
        nested = new GuardedNested[machine.vcpus.length];
        for (int i = 0; i < contexts.length; i++) {
            VirtualCpu vcpu = machine.vcpus[i];
            if (vcpu.onNestedTables() && !made.nests()) {
                throw new MachineException("design " + plugin.title()
                        + " cannot run the guest as it is now: it runs a guest of its own on tables of its own, and the design has no nested paging");
            }
            contexts[i] = made.newContext(vcpu.contextHost(lease.fence()), vcpu.processor().guestTime(), machine.memory.events());
            if (vcpu.inVmxOperation() && !underVmx(contexts[i], vcpu.registers().paging)) {
                throw new MachineException("design " + plugin.title()
                        + " cannot run the guest as it is now: it is a hypervisor in VMX operation, and under the design a guest has no VMX");
            }
        }
        mmu = made;
    }

    /** True if a guest in {@code state} is entered by VMX. */
    private static boolean underVmx(MmuContext context, PagingState state) {
        context.load(state, false);
        TranslationRoot root = context.root();
        return !(root instanceof TranslationRoot.Nested) && !(root instanceof TranslationRoot.OneDimensional one && one.deprivileged());
    }

    /** Shuts every handle that the MMU was given; what had begun with one is done when this returns. */
    void revoke() {
        lease.revoke();
        machine.memory.awaitStores();
    }

    /** Gives back what the MMU held, after {@link #revoke}, when no processor can reach it any more. */
    void release() {
        tracking.close();
        lease.release();
    }

    /** Tells what a vCPU could reach that is not its guest's, one line each; see {@link IsolationAudit}. While all are parked. */
    void isolation(Consumer<String> violations) {
        IsolationAudit audit = new IsolationAudit(machine.memory, lease, machine.physicalAddressBits(), violations);
        for (VirtualCpu vcpu : machine.vcpus) {
            vcpu.isolation(audit);
        }
    }

    Plugin<MmuFactory> plugin() {
        return plugin;
    }

    /** What the guest has to be a hypervisor with. */
    VirtualizationExtension extension() {
        return extension;
    }

    /** The settings that were chosen. */
    Map<String, String> chosen() {
        return chosen;
    }

    Lease lease() {
        return lease;
    }

    Guard guard() {
        return guard;
    }

    /** The MMU; null before {@link #make} has made it. */
    GuardedMmu mmu() {
        return mmu;
    }

    ControlDemand demand() {
        return demand;
    }

    /** The context of vCPU {@code vcpu} for guests of the guest, of an MMU that has such. */
    GuardedNested nestedContext(int vcpu) {
        if (nested[vcpu] == null) {
            VirtualCpu cpu = machine.vcpus[vcpu];
            nested[vcpu] = mmu.newNestedContext(cpu.contextHost(lease.fence()), cpu.processor().guestTime(), machine.memory.events());
        }
        return nested[vcpu];
    }

    /** The context of vCPU {@code vcpu}. */
    GuardedContext context(int vcpu) {
        return contexts[vcpu];
    }
}
