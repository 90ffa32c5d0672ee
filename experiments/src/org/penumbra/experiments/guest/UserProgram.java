package org.penumbra.experiments.guest;

import org.penumbra.api.guest.StepBuffer;

/** The user-mode software of one process of the miniature guest. One object per process, called by the vCPU's thread. */
@FunctionalInterface
public interface UserProgram {
    /**
     * Appends what the process does next, in user mode, to {@code steps}: memory steps and accumulator steps only. Called when
     * everything appended before has retired and the last system call is done.
     *
     * @return the system call it makes after these steps; null if it makes none and wants to go on
     */
    SystemCall next(StepBuffer steps);
}
