package org.penumbra.api.machine;

/**
 * One replacement of an MMU.
 *
 * @param cause why: asked for, bundle stopped, misconduct
 * @param from design and bundle that was replaced, as "name (symbolic-name version)"; empty if the guest was waiting
 * @param to the same of the new one; empty if the guest waits now
 * @param guestTime operations that the machine had retired
 * @param parkNanos wall time from closing the gate until everybody was parked
 * @param pauseNanos wall time from then until the gate was opened: the guest stood still
 * @param cycles simulated cycles of the pause, on all vCPUs together: leaving the guest, draining, flushing, attaching; the new
 *     structures are built by later faults
 * @param droppedFrames frames of structures that the old MMU gave up
 * @param rebuiltFrames frames of structures that the new MMU has allocated since, up to its own end or to now
 * @param drained guest frames that only the old MMU's dirty bits knew to be dirty
 */
public record SwapReport(
        String cause, String from, String to, long guestTime, long parkNanos, long pauseNanos, long cycles, long droppedFrames,
        long rebuiltFrames, long drained) {}
