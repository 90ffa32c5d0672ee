package org.penumbra.vmx;

import java.util.function.LongConsumer;
import org.eclipse.collections.impl.list.mutable.primitive.LongArrayList;
import org.penumbra.api.machine.DirtyLogControl;
import org.penumbra.api.machine.MachineException;
import org.penumbra.vmx.memory.DirtyBitmap;

/** Dirty logging as user space sees it. Every change happens with the gate closed, so that no write is between two harvests. */
final class DirtyLogging implements DirtyLogControl {
    private final VirtualMachine machine;
    private final DirtyBitmap log;

    DirtyLogging(VirtualMachine machine) {
        this.machine = machine;
        this.log = machine.memory.dirty();
    }

    @Override
    public void start() {
        machine.swapper().alone("to start the dirty log", attachment -> {
            if (log.activated()) {
                throw new MachineException("the dirty log is on already");
            }
            if (attachment != null && !attachment.mmu().logs()) {
                throw new MachineException("design " + attachment.plugin().title() + " cannot log dirty frames");
            }
            log.activate(true);
            boolean done = false;
            try {
                if (attachment != null) {
                    attachment.mmu().startDirtyLog(machine.hostClock);
                    machine.flushTlbs(machine.hostClock);
                }
                done = true;
            } finally {
                if (!done) {
                    log.activate(false);
                }
            }
        });
    }

    @Override
    public void harvest(LongConsumer gfns) {
        harvest(0, Long.MAX_VALUE, gfns);
    }

    /** The same for the gfns from {@code from} up to, not including, {@code to}. */
    void harvest(long from, long to, LongConsumer gfns) {
        LongArrayList taken = new LongArrayList();
        machine.swapper().alone("to harvest the dirty log", attachment -> {
            if (!log.active()) {
                throw new MachineException("the dirty log is off: start it first");
            }
            if (attachment != null) {
                attachment.mmu().collectDirty(machine.hostClock);
            }
            log.take(from, to, taken::add);
            boolean done = false;
            try {
                if (attachment != null) {
                    taken.forEach(gfn -> attachment.mmu().rearmDirty(gfn, machine.hostClock));
                    machine.flushTlbs(machine.hostClock);
                }
                done = true;
            } finally {
                if (!done) {
                    taken.forEach(log::mark);
                }
            }
        });
        taken.forEach(gfns::accept);
    }

    @Override
    public void stop() {
        machine.swapper().alone("to stop the dirty log", attachment -> {
            log.activate(false);
            if (attachment != null && !log.active()) {
                attachment.mmu().stopDirtyLog(machine.hostClock);
            }
        });
    }
}
