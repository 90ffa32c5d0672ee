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
            collect(attachment);
            log.activate(true);
            begin(attachment, () -> log.activate(false));
        });
    }

    /** Has every write noticed from now on, also where the MMU has mapped frames writable; {@code undo} is done if it fails over it. */
    void begin(Attachment attachment, Runnable undo) {
        boolean done = false;
        try {
            if (attachment != null) {
                attachment.mmu().startDirtyLog(machine.hostClock);
                machine.flushTlbs(machine.hostClock);
            }
            done = true;
        } finally {
            if (!done) {
                undo.run();
            }
        }
    }

    /**
     * Puts what only the structures of the MMU know into the log, if there is one: before the log begins for more frames, since the
     * dirty flags of all start afresh then.
     */
    void collect(Attachment attachment) {
        if (attachment != null && log.active()) {
            attachment.mmu().collectDirty(machine.hostClock);
        }
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
            collect(attachment);
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
