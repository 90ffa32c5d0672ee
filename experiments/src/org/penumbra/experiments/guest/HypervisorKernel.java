package org.penumbra.experiments.guest;

import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.guest.GuestProgram;
import org.penumbra.api.guest.StepBuffer;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.paging.PagingState;

/**
 * A hypervisor that is a guest (L1): it runs one guest of its own (L2), whose memory is its {@link HypervisorMmu}'s, until that powers off.
 * What it does to its {@link ControlBlock} it does by instructions; what it reads of it arrives in RAX.
 */
final class HypervisorKernel implements GuestProgram {
    private static final int DEBUG_EXIT_PORT = 0xf4;

    private enum Phase {
        BOOT,
        /** L2 has just exited, or was not entered. */
        EXITED,
        /** RAX holds why. */
        REASON,
        /** The MMU is at work; RAX holds what it wanted to know. */
        SERVING,
        OFF
    }

    private final RegisterFile registers;
    private final GuestLayout layout;
    private final ControlBlock control;
    private final HypervisorMmu mmu;
    private final PagingState l2;
    private Phase phase = Phase.BOOT;

    /**
     * @param registers of the vCPU
     * @param l2 registers of L2 at its start
     */
    HypervisorKernel(RegisterFile registers, GuestLayout layout, ControlBlock control, PagingState l2, HypervisorMmu mmu) {
        this.registers = registers;
        this.layout = layout;
        this.control = control;
        this.l2 = l2;
        this.mmu = mmu;
    }

    @Override
    public boolean refill(StepBuffer out) {
        switch (phase) {
            case BOOT:
                layout.execute(GuestLayout.SYSCALL_ENTRY, out);
                control.boot(l2, out);
                mmu.start(out);
                enter(out);
                break;
            case EXITED:
                control.exited(out);
                phase = Phase.REASON;
                break;
            case REASON:
                handle(control.exit(registers.gpr[RegisterFile.RAX]), out);
                break;
            case SERVING:
                if (mmu.go(registers.gpr[RegisterFile.RAX], out)) {
                    enter(out);
                }
                break;
            default:
                return false;
        }
        return true;
    }

    private void enter(StepBuffer out) {
        layout.execute(GuestLayout.SCHEDULER, out);
        control.enter(out);
        phase = Phase.EXITED;
    }

    private void handle(ControlBlock.Exit exit, StepBuffer out) {
        layout.execute(GuestLayout.FAULT_HANDLER, out);
        if (exit == ControlBlock.Exit.LOG_FULL) {
            control.emptyLog(out);
            enter(out);
        } else if (mmu.begin(exit, out)) {
            phase = Phase.SERVING;
        } else if (exit == ControlBlock.Exit.IO) {
            // The one device that L2 has powers it off.
            control.off(out);
            out.out(DEBUG_EXIT_PORT, 4, 0);
            out.hlt();
            phase = Phase.OFF;
        } else {
            throw new MachineException("the guest hypervisor does not know what to do about an exit of its guest: " + exit);
        }
    }

    @Override
    public void pageFault(long cr2, int errorCode, boolean user, StepBuffer handler) {
        throw new MachineException(String.format("the guest hypervisor has a page fault at 0x%x: it touches mapped memory only", cr2));
    }

    @Override
    public void interrupt(int vector, StepBuffer handler) {
        throw new MachineException("the guest hypervisor got interrupt " + vector + ", and has no device");
    }
}
