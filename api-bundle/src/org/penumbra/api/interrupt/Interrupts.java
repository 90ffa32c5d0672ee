package org.penumbra.api.interrupt;

import java.util.Map;
import org.osgi.annotation.versioning.ProviderType;

/**
 * The interrupts of one machine: routing, lines, irqfds, and the controller that is in charge at the moment. Safe for any thread.
 *
 * <p>While the controller's bundle is gone its state is kept, {@link #pending} is false and what is signalled is latched as the
 * hardware would: a pin that rose, a message, each once however often it came. EOIs are kept too. A controller of the same
 * name goes on from there.
 */
@ProviderType
public interface Interrupts extends AutoCloseable {
    /** Source of {@code KVM_IRQ_LINE}, and of irqfds without resampling. */
    int KVM_USERSPACE_IRQ_SOURCE_ID = 0;
    /** Source that all irqfds with resampling share; not to be used with {@link #setLine}. */
    int KVM_IRQFD_RESAMPLE_IRQ_SOURCE_ID = 1;
    /** Number of GSIs, {@code KVM_MAX_IRQ_ROUTES}. */
    int GSIS = 4096;
    /** Number of sources. */
    int SOURCES = 32;
    /** Format of a logical destination register: bits 31:24 are a mask. */
    int FLAT = 15;
    /** Bits 31:28 number a cluster, 27:24 are a mask in it. */
    int CLUSTERS = 0;
    /** Bits 31:16 number a cluster, 15:0 are a mask in it. */
    int X2APIC = 1;

    /** The routing table; KVM's default at first: GSI n to pin n. Unmodifiable, sorted. */
    Map<Integer, GsiRoute> routes();

    /**
     * Replaces the whole table in one step ({@code KVM_SET_GSI_ROUTING}): a signal goes by the old table or by the new one. A
     * line that is high moves with its GSI from pin to pin.
     *
     * @throws ErrnoException EINVAL if a GSI is not below {@link #GSIS}
     */
    void routes(Map<Integer, GsiRoute> table);

    /**
     * Ties {@code event} to {@code gsi} ({@code KVM_IRQFD}): every write or signal of the event is read on the spot and becomes
     * an interrupt. An event that is readable already injects at once and keeps its count, as in KVM.
     *
     * <p>Without {@code resample} each signal is an edge: source {@link #KVM_USERSPACE_IRQ_SOURCE_ID} goes high and low. With it,
     * source {@link #KVM_IRQFD_RESAMPLE_IRQ_SOURCE_ID} goes high and stays so until an EOI for the pin, which lowers it and then
     * signals the resample events of all irqfds of the GSI. A message has no EOI of its own, so nothing is resampled on an MSI
     * route.
     *
     * @param resample null for none
     * @return takes the tie away: no interrupt comes from it afterwards, and a line that only it held is low. Closing
     *     {@code event} does the same ({@code EPOLLHUP}).
     * @throws ErrnoException EBUSY if {@code event} is tied to any GSI of this machine, EINVAL if there is no such GSI, EBADF if
     *     a descriptor or this object is closed
     */
    Registration irqfd(EventDescriptor event, int gsi, EventDescriptor resample);

    /**
     * Sets what {@code source} makes of the line {@code gsi}, whose level is the OR of its sources ({@code kvm_set_irq}).
     *
     * @throws ErrnoException EINVAL if there is no such GSI or source
     */
    void setLine(int gsi, boolean high, int source);

    /** Sends a message ({@code KVM_SIGNAL_MSI}); for the fields see {@link InterruptController#msi}. */
    void msi(long address, int data);

    /**
     * Writes the redirection entry of {@code pin}, laid out as in {@link ControllerState}; the read-only bits of {@code entry} do
     * not matter.
     *
     * @throws ErrnoException EINVAL if there is no such pin
     */
    void redirect(int pin, long entry);

    /** Whether {@code vcpu} has something to take. One volatile read. */
    boolean pending(int vcpu);

    /**
     * Takes the highest vector that {@code vcpu} may take: IRR to ISR. By the thread of the vCPU, when the guest can be
     * interrupted.
     *
     * @return the vector, or −1 if there is none
     */
    int acknowledge(int vcpu);

    /**
     * EOI by {@code vcpu}, for the highest vector in service; by the thread of the vCPU, which signals the resample events too.
     * What the vCPU may take now that could not be taken before shows in {@link #pending}; there is no kick for that.
     */
    void endOfInterrupt(int vcpu);

    /**
     * Whether {@code vcpu} takes what the 8259s ask for: its local APIC is disabled, or lets LINT0 through as ExtINT (SDM vol. 3, "Local Vector
     * Table"). By the thread of the vCPU; at first vCPU 0 does, as firmware leaves it, and no other.
     */
    default void external(int vcpu, boolean open) {}

    /**
     * The task priority of {@code vcpu}, 0 to 255: vectors whose class, vector / 16, is not above its class stay requested (SDM vol. 3, "Task and
     * Processor Priorities"). By the thread of the vCPU; 0 at first. What the 8259s ask for does not know it.
     */
    default void priority(int vcpu, int taskPriority) {}

    /**
     * To which logical destinations {@code vcpu} belongs (SDM vol. 3, "Logical Destination Mode"); to none at first. By the thread of the vCPU.
     *
     * @param register its logical destination register
     * @param format how the register is laid out: bits 31:28 of the destination format register, {@link #FLAT} or {@link #CLUSTERS}, or {@link #X2APIC}
     */
    default void logicalId(int vcpu, int register, int format) {}

    /** The state now, with what is latched not in it. */
    ControllerState state();

    /** The name of the controller in charge, or of the one that is waited for. */
    String controller();

    /** False while the controller is waited for. */
    boolean controllerPresent();

    /**
     * Puts the controller {@code name} in charge, the service with the highest ranking if several have the name. It goes on from
     * the state of the old one; nothing is lost or doubled, and the old one is used no more. Nothing else changes the design:
     * not a service that arrives, whatever its ranking.
     *
     * @throws ErrnoException ENOENT if there is no such controller, EBADF if closed; the old one stays
     */
    void swapController(String name);

    /** Unties all irqfds and drops the controller; afterwards nothing is pending and signals are ignored. */
    @Override
    void close();
}
