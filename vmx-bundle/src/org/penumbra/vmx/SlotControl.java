package org.penumbra.vmx;

import java.util.List;
import java.util.function.LongConsumer;
import org.penumbra.api.interrupt.ErrnoException;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.machine.MemorySlots;
import org.penumbra.api.memory.MemorySlot;
import org.penumbra.vmx.memory.HostMemory;
import org.penumbra.vmx.memory.SlotChange;

/**
 * Memory slots as user space sees them. A change happens with the gate closed: KVM's vCPUs hold {@code kvm->srcu} while they use slots,
 * and a change waits for them; here nobody is in the middle of an access then.
 */
final class SlotControl implements MemorySlots {
    private final VirtualMachine machine;
    private final HostMemory memory;
    private final DirtyLogging dirtyLog;

    SlotControl(VirtualMachine machine, DirtyLogging dirtyLog) {
        this.machine = machine;
        this.memory = machine.memory;
        this.dirtyLog = dirtyLog;
    }

    @Override
    public void set(int id, int flags, long gpa, long bytes, long hva) {
        machine.swapper().alone("to change slot " + id, attachment -> {
            SlotChange change = new SlotChange(memory, id, flags, gpa, bytes, hva, machine.physicalAddressBits());
            boolean first = change.beginsLog() && !memory.dirty().activated();
            if (first && attachment != null && !attachment.mmu().logs()) {
                throw new MachineException("design " + attachment.plugin().title() + " cannot log dirty frames");
            }
            if (first) {
                dirtyLog.collect(attachment);
            }
            change.make(new Told(attachment));
            if (first && change.inPlace()) {
                dirtyLog.begin(attachment, change::undo);
            }
            if (attachment != null && !memory.dirty().active() && attachment.mmu().logs()) {
                attachment.mmu().stopDirtyLog(machine.hostClock);
            }
        });
    }

    private final class Told implements SlotChange.Listener {
        private final Attachment attachment;

        Told(Attachment attachment) {
            this.attachment = attachment;
        }

        @Override
        public void changed(long gfn, long frames) {
            try {
                if (attachment != null) {
                    attachment.mmu().slotsChanged(gfn, frames, machine.hostClock);
                }
            } catch (MmuFailure e) {
                // Its vCPUs do not run again before it is replaced; what the TLBs hold has to go here.
                machine.flushTlbs(machine.hostClock);
            }
        }

        @Override
        public void moved(long gfn) {
            machine.moved(gfn);
        }
    }

    @Override
    public List<MemorySlot> all() {
        return memory.allSlots();
    }

    @Override
    public long generation() {
        return memory.generation();
    }

    @Override
    public void harvest(int id, LongConsumer gfns) {
        MemorySlot slot = all().stream().filter(s -> s.id() == id).findFirst()
                .orElseThrow(() -> new ErrnoException(ErrnoException.ENOENT, "there is no slot " + id));
        if (!memory.dirty().logs(slot.baseGfn())) {
            throw new ErrnoException(ErrnoException.ENOENT, "slot " + id + " is not logged");
        }
        dirtyLog.harvest(slot.baseGfn(), slot.endGfn(), gfns);
    }
}
