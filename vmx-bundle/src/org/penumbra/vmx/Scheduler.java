package org.penumbra.vmx;

import org.penumbra.api.machine.MachineException;

/**
 * Who runs when. Either one thread gives each vCPU its turn, in a fixed order and by guest time alone, so that equal runs are equal;
 * or each vCPU has a thread. In both the threads are the machine's own, so that one which is stuck can be given up.
 */
final class Scheduler {
    /** Operations of one turn when several vCPUs take turns. */
    private static final long QUANTUM = 10_000;
    /** How long a thread of a halted vCPU waits before it looks again. */
    private static final long LOOK_MILLIS = 20;

    private final VirtualMachine machine;
    private final GuestTimeline timeline;
    private final boolean threads;
    private final Crew crew;
    private final Object sleep = new Object();
    /** Held while guest time skips to the next timer. */
    private final Object idling = new Object();
    private volatile boolean wakeable;

    Scheduler(VirtualMachine machine, GuestTimeline timeline, boolean threads) {
        this.machine = machine;
        this.timeline = timeline;
        this.threads = threads;
        this.crew = new Crew("penumbra-vm", threads ? machine.vcpus.length : 1, threads ? this::alone : this::turns, machine::end);
    }

    /** Somebody outside holds the machine's interrupts, and may wake a halted guest. */
    void mayBeWoken() {
        wakeable = true;
    }

    /** Runs every vCPU for {@code operations} more operations; true while the guest can go on. */
    boolean run(long operations) {
        for (VirtualCpu vcpu : machine.vcpus) {
            vcpu.target(operations);
        }
        crew.run();
        for (VirtualCpu vcpu : machine.vcpus) {
            if (!vcpu.finished()) {
                return true;
            }
        }
        return false;
    }

    /** Takes the work of {@code thread} over; false if it is none of the machine's. */
    boolean replace(Thread thread) {
        return crew.replace(thread);
    }

    /** Halted vCPUs look again. */
    void wake() {
        synchronized (sleep) {
            sleep.notifyAll();
        }
    }

    void close() {
        crew.close();
        wake();
    }

    /** All vCPUs, by turns. */
    private void turns(int worker) {
        long quantum = machine.vcpus.length == 1 ? Long.MAX_VALUE : QUANTUM;
        while (machine.alive()) {
            boolean ran = false;
            boolean left = false;
            for (VirtualCpu vcpu : machine.vcpus) {
                if (!vcpu.done() && machine.alive()) {
                    left = true;
                    ran |= turn(vcpu, quantum) != VirtualCpu.Stop.HALTED;
                }
            }
            if (!ran && (!left || othersReachedTarget() || !idle())) {
                return;
            }
        }
    }

    /** Some vCPU has run its share, so those that are halted may stay so for now. */
    private boolean othersReachedTarget() {
        for (VirtualCpu vcpu : machine.vcpus) {
            if (vcpu.done() && !vcpu.finished()) {
                return true;
            }
        }
        return false;
    }

    /** One vCPU, on its own thread. */
    private void alone(int id) {
        VirtualCpu vcpu = machine.vcpus[id];
        while (machine.alive() && !vcpu.done()) {
            if (turn(vcpu, Long.MAX_VALUE) == VirtualCpu.Stop.HALTED) {
                if (!allHalted()) {
                    if (othersReachedTarget()) {
                        return;
                    }
                    sleep();
                } else if (!idle()) {
                    return;
                }
            }
        }
        wake();
    }

    private boolean allHalted() {
        for (VirtualCpu vcpu : machine.vcpus) {
            if (!vcpu.finished() && !vcpu.halted()) {
                return false;
            }
        }
        return true;
    }

    /** Nobody can run: on to the next timer, or until somebody outside sends an interrupt. False when the machine has ended. */
    private boolean idle() {
        if (!machine.alive()) {
            return false;
        }
        synchronized (idling) {
            // Two threads may both have found that all are halted: the one that comes second looks again.
            if (!allHalted() || timeline.skip()) {
                return true;
            }
        }
        if (!wakeable) {
            throw new MachineException("the guest halted, and no device can wake it");
        }
        sleep();
        return machine.alive();
    }

    private void sleep() {
        synchronized (sleep) {
            try {
                sleep.wait(LOOK_MILLIS);
            } catch (InterruptedException e) {
                // Looks again.
            }
        }
    }

    /** Runs {@code vcpu} for at most {@code quantum} operations, inside the gate, and not past the next timer. */
    private VirtualCpu.Stop turn(VirtualCpu vcpu, long quantum) {
        machine.swapper().recover();
        if (!machine.alive()) {
            return VirtualCpu.Stop.PARK;
        }
        try {
            machine.gate.enter("vCPU " + vcpu.id());
        } catch (InterruptedException e) {
            // Meant for a call that has ended since.
            return VirtualCpu.Stop.PARK;
        }
        VirtualCpu.Stop stop;
        try {
            stop = machine.alive() ? vcpu.run(until(vcpu, quantum)) : VirtualCpu.Stop.PARK;
        } catch (MmuFailure e) {
            stop = VirtualCpu.Stop.PARK;
        } finally {
            machine.gate.leave();
        }
        timeline.runDue();
        machine.dirtyLog().serveRing(vcpu.id());
        return stop;
    }

    private long until(VirtualCpu vcpu, long quantum) {
        long now = vcpu.processor().guestTime().retired();
        long share = Math.min(quantum, vcpu.target() - now);
        return now + Math.min(share, timeline.untilNext(now));
    }
}
