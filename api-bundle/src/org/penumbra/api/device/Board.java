package org.penumbra.api.device;

import org.penumbra.api.interrupt.Interrupts;
import org.penumbra.api.interrupt.Timeline;

/**
 * What a machine's devices are wired to.
 *
 * @param interrupts where a device raises its line
 * @param timeline guest time. To a device an operation of the guest takes a nanosecond.
 * @param memoryBytes of the machine, from guest-physical address 0 on
 * @param vcpus how many there are
 */
public record Board(Interrupts interrupts, Timeline timeline, long memoryBytes, int vcpus) {}
