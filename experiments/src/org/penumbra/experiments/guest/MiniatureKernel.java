package org.penumbra.experiments.guest;

import static org.penumbra.experiments.guest.GuestLayout.PAGE;
import static org.penumbra.experiments.guest.GuestLayout.direct;

import java.util.ArrayDeque;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.paging.PageFaultError;
import org.penumbra.experiments.engine.GuestProgram;
import org.penumbra.experiments.engine.StepBuffer;

/**
 * The kernel's decisions: page faults, system calls, who runs. Processes are scheduled round robin and switched only when they
 * give the processor up; the guest powers off when none is left.
 */
final class MiniatureKernel implements GuestProgram {
    /** Bytes of {@code struct pt_regs}: what entry code saves on the kernel stack. */
    private static final int SAVED_REGISTERS = 168;
    /** QEMU's isa-debug-exit device. */
    private static final int DEBUG_EXIT_PORT = 0xf4;

    private final String workload;
    private final FrameAllocator frames;
    private final long kernelRoot;
    private final UserProgram first;
    /** Null without PCIDs. */
    private final Pcids pcids;
    private final ArrayDeque<Process> runnable = new ArrayDeque<>();

    private Process current;
    private SystemCall call;
    private int pids;
    private int alive;
    private boolean booted;
    private boolean off;

    MiniatureKernel(String workload, FrameAllocator frames, long kernelRoot, UserProgram first, Pcids pcids) {
        this.workload = workload;
        this.frames = frames;
        this.kernelRoot = kernelRoot;
        this.first = first;
        this.pcids = pcids;
    }

    @Override
    public boolean refill(StepBuffer out) {
        if (off) {
            return false;
        }
        if (!booted) {
            booted = true;
            start(out);
        } else if (call != null) {
            SystemCall c = call;
            call = null;
            enter(out);
            serve(c, out);
        } else {
            call = current.program.next(out);
        }
        return true;
    }

    /** Makes the first process and goes to user mode. */
    private void start(StepBuffer out) {
        switchTo(newProcess(null, first, out), out);
        leave(out);
    }

    private void serve(SystemCall c, StepBuffer out) {
        if (c instanceof SystemCall.Map m) {
            map(m);
        } else if (c instanceof SystemCall.Unmap u) {
            check(u.start(), u.length());
            out.fetch(GuestLayout.UNMAP, 16);
            current.remove(u.start(), u.start() + u.length());
            current.ranges.unmap(u.start(), u.start() + u.length(), out);
        } else if (c instanceof SystemCall.Protect p) {
            check(p.start(), p.length());
            out.fetch(GuestLayout.PROTECT, 16);
            current.protect(p.start(), p.start() + p.length(), p.write());
            current.ranges.protect(p.start(), p.start() + p.length(), p.write(), out);
        } else if (c instanceof SystemCall.Age) {
            out.fetch(GuestLayout.AGE, 16);
            current.ranges.age(out);
        } else if (c instanceof SystemCall.Fork f) {
            fork(f.child(), out);
        } else if (c instanceof SystemCall.Wait) {
            await(out);
            return;
        } else if (c instanceof SystemCall.Exit) {
            exit(out);
            return;
        } else {
            runnable.add(current);
            schedule(out);
            return;
        }
        leave(out);
    }

    private void map(SystemCall.Map m) {
        check(m.start(), m.length());
        if (!current.add(new Vma(m.start(), m.start() + m.length(), m.write(), m.execute(), m.contents(), m.large()))) {
            throw bug(String.format("maps 0x%x to 0x%x over another mapping", m.start(), m.start() + m.length()));
        }
    }

    private void check(long start, long length) {
        if (start < 0 || length <= 0 || start > GuestLayout.USER_END - length || (start | length) % PAGE != 0) {
            throw bug(String.format("makes a system call for %d bytes at 0x%x: page-aligned ranges below 2^47 are possible", length, start));
        }
    }

    private void fork(UserProgram program, StepBuffer out) {
        out.fetch(GuestLayout.FORK, 16);
        Process child = newProcess(current, program, out);
        child.copyMappings(current);
        current.ranges.copyTo(child.memory, out);
        // The parent lost its right to write; stale entries in the TLB would still allow it.
        out.movToCr3(current.memory.cr3());
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

    private static void reap(Process parent) {
        parent.exitedChildren--;
        parent.children--;
    }

    private void exit(StepBuffer out) {
        out.fetch(GuestLayout.EXIT, 16);
        Process dead = current;
        dead.ranges.clear(out);
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
            powerOff(dead, out);
        } else {
            schedule(out);
            free(dead);
        }
    }

    private void free(Process dead) {
        dead.ranges.freeRoot();
        frames.release(dead.stack);
    }

    private void powerOff(Process last, StepBuffer out) {
        out.fetch(GuestLayout.POWER_OFF, 16);
        out.movToCr3(kernelRoot);
        free(last);
        if (frames.inUse() != 0) {
            throw new IllegalStateException("the guest kernel lost " + frames.inUse() + " frames");
        }
        out.out(DEBUG_EXIT_PORT, 4, 0);
        out.hlt();
        off = true;
    }

    /** Switches to the next runnable process and leaves the kernel in it. */
    private void schedule(StepBuffer out) {
        out.fetch(GuestLayout.SCHEDULER, 16);
        Process next = runnable.poll();
        if (next == null) {
            throw bug("waits, as every process does: nothing can run");
        }
        if (next != current) {
            switchTo(next, out);
        }
        leave(out);
    }

    private void switchTo(Process next, StepBuffer out) {
        out.movToCr3(pcids == null ? next.memory.cr3() : pcids.switchTo(next));
        current = next;
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
        out.fetch(GuestLayout.FAULT_ENTRY, 16);
        out.storeAccumulator(direct(current.stack), SAVED_REGISTERS);
        out.fetch(GuestLayout.FAULT_HANDLER, 16);
        current.memory.touch(cr2, write, vma, out);
        out.load(direct(current.stack), SAVED_REGISTERS);
    }

    private Process newProcess(Process parent, UserProgram program, StepBuffer out) {
        AddressSpace memory = new AddressSpace(frames, kernelRoot, out);
        long stack = frames.allocate();
        out.store(direct(stack), SAVED_REGISTERS, 0);
        alive++;
        return new Process(++pids, parent, program, memory, stack);
    }

    private void enter(StepBuffer out) {
        out.enterKernel();
        out.fetch(GuestLayout.SYSCALL_ENTRY, 16);
        out.storeAccumulator(direct(current.stack), SAVED_REGISTERS);
    }

    private void leave(StepBuffer out) {
        out.load(direct(current.stack), SAVED_REGISTERS);
        out.enterUser();
    }

    private MachineException bug(String what) {
        return new MachineException("process " + current.pid + " of workload " + workload + " " + what);
    }
}
