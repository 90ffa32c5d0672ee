package org.penumbra.experiments.boot;

import org.penumbra.api.guest.GuestProgram;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.guest.StepBuffer;
import org.penumbra.api.machine.MachineException;

/** The program of a guest whose software is in its memory: it has no steps. */
class MachineCode implements GuestProgram {
    private static final long FNV_PRIME = 0x100_0000_01b3L;

    /** The digest of a guest in machine code is that of what it puts out: what it loads nobody looks at. */
    static void putOut(GuestState state, int octet) {
        state.digest = (state.digest ^ octet) * FNV_PRIME;
    }

    @Override
    public boolean refill(StepBuffer steps) {
        throw new MachineException("the guest is machine code, and has no steps: it needs the engine for that");
    }

    @Override
    public void pageFault(long cr2, int errorCode, boolean user, StepBuffer handler) {
        throw new IllegalStateException("the guest is machine code, and handles page faults by itself");
    }

    @Override
    public void interrupt(int vector, StepBuffer handler) {
        throw new IllegalStateException("the guest is machine code, and handles interrupts by itself");
    }
}
