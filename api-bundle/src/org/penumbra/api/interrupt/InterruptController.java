package org.penumbra.api.interrupt;

import org.osgi.annotation.versioning.ConsumerType;
import org.osgi.annotation.versioning.ProviderType;

/**
 * The interrupt controller of one machine: local APICs and I/O APIC. It is a set of rules over a {@link ControllerState}: two
 * controllers of one design that were given equal states and equal calls have equal states. Called by one thread at a time, any
 * thread, and never after {@link #state} was taken from it for a successor. Must not block, call back otherwise than through its
 * {@link Host}, or keep a thread.
 */
@ConsumerType
public interface InterruptController {
    /** What a controller tells its machine. Used inside a call to the controller only. */
    @ProviderType
    interface Host {
        /** {@code vcpu} accepted an interrupt: a bit of its IRR was set, or had been set before. */
        void delivered(int vcpu);

        /** True if {@code vcpu} belongs to the logical {@code destination}, bits 7:0 of what a message or a redirection entry says. */
        default boolean logical(int vcpu, int destination) {
            return false;
        }

        /** A message of delivery mode NMI came for {@code vcpu}. */
        default void nonMaskable(int vcpu) {}

        /**
         * An EOI came for the vector of {@code pin}, edge or level triggered ({@code kvm_notify_acked_irq}); told before the
         * remote IRR is cleared.
         *
         * @return the level of the line after that: whoever was waiting for the EOI has lowered what it had raised. The
         *     controller takes it as if {@link InterruptController#line} had been called.
         */
        boolean acked(int pin);
    }

    /** The line at {@code pin} has become high or low; called for changes only. */
    void line(int pin, boolean high);

    /**
     * A message-signalled interrupt (SDM vol. 3, "Message Signalled Interrupts").
     *
     * <pre>
     *  address  31:20 0xfee   19:12 destination   3 redirection hint   2 destination mode, 0 = physical
     *  data     15 trigger mode, 1 = level   14 level   10:8 delivery mode, 0 = fixed, 1 = lowest priority, 4 = NMI   7:0 vector
     * </pre>
     */
    void msi(long address, int data);

    /** A write to the redirection entry of {@code pin}; its read-only bits do not matter. */
    void redirect(int pin, long entry);

    /** Whether {@link #acknowledge} would return a vector. */
    boolean pending(int vcpu);

    /**
     * Takes the highest requested vector of {@code vcpu}, if its priority class is above that of the highest in service: its bit
     * moves from IRR to ISR.
     *
     * @return the vector, or −1 if there is none to be taken
     */
    int acknowledge(int vcpu);

    /**
     * EOI: the highest vector in service of {@code vcpu} is done. {@link Host#acked} is told for each pin with that vector; a
     * level-triggered pin whose line is still high delivers again. Without a vector in service nothing happens.
     */
    void endOfInterrupt(int vcpu);

    /** The state now. */
    ControllerState state();
}
