package org.penumbra.experiments.guest;

import static org.penumbra.experiments.guest.GuestLayout.PAGE;

import java.util.ArrayDeque;
import java.util.concurrent.atomic.AtomicInteger;
import org.penumbra.api.cpu.UpdateFunction;
import org.penumbra.api.guest.GuestProgram;
import org.penumbra.api.guest.Hypercall;
import org.penumbra.api.guest.StepBuffer;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.paging.PageFaultError;

/**
 * The decisions of the kernel of one vCPU: page faults, system calls, interrupts, who runs. Processes are scheduled round robin and
 * switched only when they give the processor up; the guest powers off when no kernel has one left.
 *
 * <p>What an interrupt may change is decided upon in batches that begin with interrupts off, since a batch is decided upon before its
 * first step and an interrupt may come between its steps.
 */
final class MiniatureKernel implements GuestProgram {
    /** Bytes of {@code struct pt_regs}: what entry code saves on the kernel stack. */
    private static final int SAVED_REGISTERS = 168;
    /** Where in the frame of its kernel stack a process has its slot for the hypervisor. */
    private static final int CR3_SLOT = 2048;
    /** QEMU's isa-debug-exit device. */
    private static final int DEBUG_EXIT_PORT = 0xf4;
    /** EOI register (SDM vol. 3, "x2APIC Register Address Space"). */
    private static final int X2APIC_EOI = 0x80b;

    private enum Phase {
        BOOT,
        /** The current process runs, or has just made its system call. */
        USER,
        /** A system call has been entered: interrupts are off. */
        KERNEL,
        /** No process can run before an interrupt has come; interrupts are off. */
        IDLE,
        /** No process is left. */
        DONE,
        /** Another kernel will power off. */
        OFFLINE,
        OFF
    }

    private final String workload;
    /** Kernels of the guest that still have processes: all that kernels share. */
    private final AtomicInteger kernels;
    /** gpa of this vCPU's interrupt page. */
    private final long interruptPage;
    private final FrameAllocator frames;
    private final GuestLayout layout;
    /** Null without paging. */
    private final BootTables kernelHalf;
    private final UserProgram first;
    /** Whether the hypervisor is asked for the roots to load. */
    private final boolean slots;
    /** Null without PCIDs. */
    private final Pcids pcids;
    private final ArrayDeque<Process> runnable = new ArrayDeque<>();
    /** Those that wait for an interrupt. */
    private final ArrayDeque<Process> sleeping = new ArrayDeque<>();

    private Phase phase = Phase.BOOT;
    /** Whose address space is loaded; null for the boot tables. */
    private Process current;
    private SystemCall call;
    private int pids;
    private int alive;
    private long interrupts;

    MiniatureKernel(
            String workload, int vcpu, AtomicInteger kernels, FrameAllocator frames, GuestLayout layout, BootTables kernelHalf,
            UserProgram first, Pcids pcids, boolean slots) {
        this.slots = slots;
        this.workload = workload;
        this.kernels = kernels;
        this.interruptPage = MiniatureGuest.interruptCounter(vcpu, 0);
        this.frames = frames;
        this.layout = layout;
        this.kernelHalf = kernelHalf;
        this.first = first;
        this.pcids = pcids;
    }

    @Override
    public boolean refill(StepBuffer out) {
        switch (phase) {
            case BOOT:
                switchTo(newProcess(null, first, firstMemory(out), out), out);
                leave(out);
                break;
            case USER:
                if (call == null) {
                    call = current.program.next(out);
                    current.memory.place(out);
                } else {
                    enter(out);
                    phase = Phase.KERNEL;
                }
                break;
            case KERNEL:
                SystemCall c = call;
                call = null;
                serve(c, out);
                break;
            case IDLE:
                schedule(out);
                break;
            case DONE:
                finish(out);
                break;
            case OFFLINE:
                out.hlt();
                break;
            default:
                return false;
        }
        return true;
    }

    private void serve(SystemCall c, StepBuffer out) {
        if (c instanceof SystemCall.Map m) {
            map(m, out);
        } else if (c instanceof SystemCall.Unmap u) {
            check(u.start(), u.length());
            layout.execute(GuestLayout.UNMAP, out);
            current.remove(u.start(), u.start() + u.length());
            current.memory.unmap(u.start(), u.start() + u.length(), out);
        } else if (c instanceof SystemCall.Protect p) {
            check(p.start(), p.length());
            layout.execute(GuestLayout.PROTECT, out);
            current.protect(p.start(), p.start() + p.length(), p.write());
            current.memory.protect(p.start(), p.start() + p.length(), p.write(), out);
        } else if (c instanceof SystemCall.Age) {
            layout.execute(GuestLayout.AGE, out);
            current.memory.age(out);
        } else if (c instanceof SystemCall.Fork f) {
            fork(f.child(), out);
        } else if (c instanceof SystemCall.Wait) {
            await(out);
            return;
        } else if (c instanceof SystemCall.Exit) {
            exit(out);
            return;
        } else if (c instanceof SystemCall.WaitForInterrupt) {
            awaitInterrupt(out);
            return;
        } else {
            runnable.add(current);
            schedule(out);
            return;
        }
        leave(out);
    }

    private void map(SystemCall.Map m, StepBuffer out) {
        check(m.start(), m.length());
        Vma vma = new Vma(m.start(), m.start() + m.length(), m.write(), m.execute(), m.contents(), m.large());
        if (!current.add(vma)) {
            throw bug(String.format("maps 0x%x to 0x%x over another mapping", m.start(), m.start() + m.length()));
        }
        current.memory.map(vma, out);
    }

    private void check(long start, long length) {
        if (start < 0 || length <= 0 || start > layout.userEnd - length || (start | length) % PAGE != 0) {
            throw bug(String.format("makes a system call for %d bytes at 0x%x: page-aligned ranges below 0x%x are possible", length, start,
                    layout.userEnd));
        }
    }

    private void fork(UserProgram program, StepBuffer out) {
        layout.execute(GuestLayout.FORK, out);
        Process child = newProcess(current, program, current.memory.fork(nextPcid(), out), out);
        child.copyMappings(current);
        current.children++;
        runnable.add(child);
    }

    private void await(StepBuffer out) {
        if (current.exitedChildren > 0) {
            reap(current);
            leave(out);
        } else if (current.children == 0) {
            throw bug("waits for a child and has none");
        } else {
            current.waiting = true;
            schedule(out);
        }
    }

    private void awaitInterrupt(StepBuffer out) {
        if (current.interruptsSeen < interrupts) {
            current.interruptsSeen = interrupts;
            leave(out);
        } else {
            sleeping.add(current);
            schedule(out);
        }
    }

    private static void reap(Process parent) {
        parent.exitedChildren--;
        parent.children--;
    }

    private void exit(StepBuffer out) {
        layout.execute(GuestLayout.EXIT, out);
        Process dead = current;
        if (slots) {
            out.vmcall(Hypercall.CR3_SLOT, dead.memory.cr3(), 0);
            out.store(layout.direct(dead.stack + CR3_SLOT), 8, 0);
        }
        dead.memory.clear(out);
        dead.exited = true;
        alive--;
        Process parent = dead.parent;
        if (parent != null && !parent.exited) {
            parent.exitedChildren++;
            if (parent.waiting) {
                parent.waiting = false;
                reap(parent);
                runnable.add(parent);
            }
        }
        if (alive == 0) {
            layout.execute(GuestLayout.POWER_OFF, out);
            leaveAddressSpace(out);
            phase = Phase.DONE;
        } else {
            schedule(out);
        }
        free(dead);
    }

    private void free(Process dead) {
        dead.memory.free();
        frames.release(dead.stack);
    }

    /** Everything that this kernel did has retired. */
    private void finish(StepBuffer out) {
        if (frames.inUse() != 0) {
            throw new IllegalStateException("the guest kernel lost " + frames.inUse() + " frames");
        }
        if (kernels.decrementAndGet() == 0) {
            out.out(DEBUG_EXIT_PORT, 4, 0);
            phase = Phase.OFF;
        } else {
            phase = Phase.OFFLINE;
        }
        out.hlt();
    }

    /** Switches to the next runnable process and leaves the kernel in it, or waits for an interrupt that makes one runnable. */
    private void schedule(StepBuffer out) {
        layout.execute(GuestLayout.SCHEDULER, out);
        Process next = runnable.poll();
        if (next == null) {
            idle(out);
            return;
        }
        if (next != current) {
            switchTo(next, out);
        }
        leave(out);
    }

    private void idle(StepBuffer out) {
        if (sleeping.isEmpty()) {
            throw bug("waits, as every process does: nothing can run");
        }
        if (current != null && current.exited) {
            leaveAddressSpace(out);
        }
        layout.execute(GuestLayout.IDLE, out);
        out.stiHlt();
        // The interrupt handler has returned with interrupts on.
        out.cli();
        phase = Phase.IDLE;
    }

    private void leaveAddressSpace(StepBuffer out) {
        if (layout.paged()) {
            out.movToCr3(kernelHalf.root());
        }
        current = null;
    }

    private void switchTo(Process next, StepBuffer out) {
        if (layout.paged()) {
            load(next, out);
        }
        current = next;
    }

    private void load(Process next, StepBuffer out) {
        if (slots) {
            out.movToCr3(next.memory.cr3(), layout.direct(next.stack + CR3_SLOT));
        } else {
            out.movToCr3(pcids == null ? next.memory.cr3() : pcids.switchTo(next));
        }
    }

    @Override
    public void pageFault(long cr2, int errorCode, boolean user, StepBuffer out) {
        boolean write = (errorCode & PageFaultError.WRITE) != 0;
        boolean fetch = (errorCode & PageFaultError.FETCH) != 0;
        if (!user) {
            throw new MachineException(String.format("guest kernel fault at 0x%x (%s): the kernel touches mapped memory only",
                    cr2, PageFaultError.describe(errorCode)));
        }
        Vma vma = current.find(cr2);
        if (vma == null || write && !vma.write() || fetch && !vma.execute() || (errorCode & PageFaultError.RESERVED) != 0) {
            throw bug(String.format("%s 0x%x (%s), which it has %s", fetch ? "executes" : write ? "writes" : "reads", cr2,
                    PageFaultError.describe(errorCode), vma == null ? "not mapped" : "no right to"));
        }
        layout.execute(GuestLayout.FAULT_ENTRY, out);
        out.storeAccumulator(layout.direct(current.stack), SAVED_REGISTERS);
        layout.execute(GuestLayout.FAULT_HANDLER, out);
        current.memory.touch(cr2, write, vma, out);
        out.load(layout.direct(current.stack), SAVED_REGISTERS);
    }

    @Override
    public void interrupt(int vector, StepBuffer out) {
        interrupts++;
        for (Process p : sleeping) {
            p.interruptsSeen = interrupts;
        }
        runnable.addAll(sleeping);
        sleeping.clear();
        long stack = layout.direct(interruptPage + GuestLayout.INTERRUPT_STACK);
        layout.execute(GuestLayout.INTERRUPT_ENTRY, out);
        out.storeAccumulator(stack, SAVED_REGISTERS);
        out.update(layout.direct(interruptPage) + 8L * vector, 8, UpdateFunction.ADD, 1);
        out.wrmsr(X2APIC_EOI, 0);
        out.load(stack, SAVED_REGISTERS);
    }

    private ProcessMemory firstMemory(StepBuffer out) {
        return layout.paged() ? new AddressSpace(frames, layout, kernelHalf, nextPcid(), out)
                : new FlatMemory("the process of workload " + workload, frames, layout);
    }

    /** Of the next process that is made. */
    private int nextPcid() {
        return pcids == null ? 0 : pcids.of(pids + 1);
    }

    private Process newProcess(Process parent, UserProgram program, ProcessMemory memory, StepBuffer out) {
        long stack = frames.allocate();
        out.store(layout.direct(stack), SAVED_REGISTERS, 0);
        if (slots) {
            out.store(layout.direct(stack + CR3_SLOT), 8, 0);
            out.vmcall(Hypercall.CR3_SLOT, memory.cr3(), stack + CR3_SLOT);
        }
        alive++;
        return new Process(++pids, parent, program, memory, stack);
    }

    private void enter(StepBuffer out) {
        out.enterKernel();
        layout.execute(GuestLayout.SYSCALL_ENTRY, out);
        out.storeAccumulator(layout.direct(current.stack), SAVED_REGISTERS);
    }

    private void leave(StepBuffer out) {
        out.load(layout.direct(current.stack), SAVED_REGISTERS);
        out.enterUser();
        phase = Phase.USER;
    }

    private MachineException bug(String what) {
        return new MachineException("process " + current.pid + " of workload " + workload + " " + what);
    }
}
