package org.penumbra.vmx.memory;

import org.eclipse.collections.impl.list.mutable.primitive.LongArrayList;
import org.penumbra.api.memory.MemorySlot;

/**
 * A change of one slot, in KVM's steps ({@code kvm_set_memslot}): a slot that goes or moves is taken out first, its translations are
 * dropped, and then the new slots come into force. Made while nobody is inside the machine's gate.
 */
public final class SlotChange {
    /** Who has to know. */
    public interface Listener {
        /** The slots that give these guest frames change: nothing derived from them may be left. */
        void changed(long gfn, long frames);

        /** {@code gfn} shows another page now, or none. */
        void moved(long gfn);
    }

    private final HostMemory host;
    private final SlotSet before;
    private final SlotSet next;
    private final MemorySlot old;
    private final MemorySlot now;

    /**
     * Nothing is changed yet. Arguments and errors are those of {@link org.penumbra.api.machine.MemorySlots#set}.
     *
     * @param physicalAddressBits the guest's MAXPHYADDR
     */
    public SlotChange(HostMemory host, int id, int flags, long gpa, long bytes, long hva, int physicalAddressBits) {
        this.host = host;
        this.before = host.slots();
        this.next = before.with(id, flags, gpa, bytes, hva, (1L << physicalAddressBits - 12) - 1);
        this.old = before.byId(id);
        this.now = next.byId(id);
    }

    /** True if the slot is to be logged and was not. */
    public boolean beginsLog() {
        return now != null && now.logsDirtyPages() && (old == null || !old.logsDirtyPages());
    }

    /** True if a slot that is there is to stay where it is. */
    public boolean inPlace() {
        return old != null && now != null && old.baseGfn() == now.baseGfn();
    }

    /** Makes the change. */
    public void make(Listener listener) {
        if (next == before) {
            return;
        }
        LongArrayList dirty = new LongArrayList();
        if (old != null && !inPlace()) {
            host.publish(before.without(old), () -> listener.changed(old.baseGfn(), old.frames()));
            host.dirty().take(old.baseGfn(), old.endGfn(), dirty::add);
        }
        host.publish(next, () -> {});
        host.dirty().forgetUnlogged();
        if (now != null && !inPlace()) {
            // The log of a slot moves with it.
            dirty.forEach(gfn -> host.dirty().mark(gfn - old.baseGfn() + now.baseGfn()));
        }
        if (!inPlace()) {
            moved(old, listener);
            moved(now, listener);
        }
    }

    private void moved(MemorySlot slot, Listener listener) {
        if (slot != null) {
            host.space.used(slot.hva(), slot.frames() << 12, (hva, pfn) -> listener.moved(slot.baseGfn() + (hva - slot.hva() >>> 12)));
        }
    }

    /** Undoes {@link #make} where the slot stays in place: the dirty log of it could not be started. */
    public void undo() {
        host.publish(before, () -> {});
    }
}
