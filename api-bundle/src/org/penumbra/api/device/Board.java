package org.penumbra.api.device;

import org.penumbra.api.interrupt.Interrupts;
import org.penumbra.api.interrupt.Timeline;

/**
 * What a machine's devices are wired to.
 *
 * @param interrupts where a device raises its line
 * @param timeline guest time. To a device an operation of the guest takes a nanosecond.
 */
public record Board(Interrupts interrupts, Timeline timeline) {}
