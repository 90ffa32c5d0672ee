/**
 * Interrupts: event and timer descriptors, interrupt lines and messages, and the controller that turns them into vectors.
 *
 * <p><b>If you write a device or a user-space program:</b> signal through an {@link org.penumbra.api.interrupt.EventDescriptor}
 * from {@link org.penumbra.api.interrupt.Descriptors}, tied to an interrupt line by
 * {@link org.penumbra.api.interrupt.Interrupts#irqfd}. Any thread may signal, while the guest runs. <b>If you write a
 * hypervisor:</b> make one {@link org.penumbra.api.interrupt.Interrupts} per machine with
 * {@link org.penumbra.api.interrupt.InterruptsFactory}, implement {@link org.penumbra.api.interrupt.InterruptTarget} and
 * {@link org.penumbra.api.interrupt.Timeline}; before each VM entry the thread of a vCPU asks {@code pending} and takes what
 * there is with {@code acknowledge}. <b>If you write an interrupt controller:</b> publish an
 * {@link org.penumbra.api.interrupt.InterruptControllerFactory}. You are called by one thread at a time and hold no state that is
 * not in {@link org.penumbra.api.interrupt.ControllerState}, so that you can be replaced at any moment, and leave no thread,
 * listener or static reference behind.
 *
 * <p>Names and rules are those of eventfd(2), timerfd_create(2) and KVM's irqfd, ioeventfd and GSI routing. Nothing here calls a
 * {@link org.penumbra.api.interrupt.Waiter} or a target while it holds a lock.
 */
@Version("0.2.0")
package org.penumbra.api.interrupt;

import org.osgi.annotation.versioning.Version;
