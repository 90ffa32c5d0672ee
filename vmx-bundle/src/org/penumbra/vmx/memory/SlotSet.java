package org.penumbra.vmx.memory;

import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.penumbra.api.interrupt.ErrnoException;
import org.penumbra.api.machine.MemorySlots;
import org.penumbra.api.memory.MemorySlot;

/**
 * The memory slots of a machine at one moment. A change makes another set, so that whoever holds one sees no half of a change.
 * Immutable.
 */
final class SlotSet {
    /** Told of a part of a slot. */
    interface Part {
        void of(long gfn, long frames);
    }

    private static final long FRAME = 4096;
    /** The end of user space's half of 4-level addresses: what KVM's access_ok compares with. */
    private static final long HVA_END = 1L << 47;
    private static final int FLAGS = MemorySlot.LOG_DIRTY_PAGES | MemorySlot.READONLY;

    private final MemorySlot[] byGfn;
    private final boolean logging;

    /** @param slots without overlap */
    SlotSet(MemorySlot... slots) {
        byGfn = slots.clone();
        Arrays.sort(byGfn, Comparator.comparingLong(MemorySlot::baseGfn));
        logging = Arrays.stream(byGfn).anyMatch(MemorySlot::logsDirtyPages);
    }

    /** The slot that has {@code gfn}; null if none has it. */
    MemorySlot find(long gfn) {
        int low = 0;
        int high = byGfn.length - 1;
        while (low <= high) {
            int middle = low + high >>> 1;
            MemorySlot slot = byGfn[middle];
            if (slot.contains(gfn)) {
                return slot;
            }
            if (gfn < slot.baseGfn()) {
                high = middle - 1;
            } else {
                low = middle + 1;
            }
        }
        return null;
    }

    /** The slot of number {@code id}; null if there is none. */
    MemorySlot byId(int id) {
        for (MemorySlot slot : byGfn) {
            if (slot.id() == id) {
                return slot;
            }
        }
        return null;
    }

    /** All slots by ascending gfn. */
    List<MemorySlot> all() {
        return List.of(byGfn);
    }

    /** True if a slot logs dirty pages. */
    boolean logging() {
        return logging;
    }

    /** True if the slot that has {@code gfn} logs dirty pages. */
    boolean logs(long gfn) {
        MemorySlot slot = logging ? find(gfn) : null;
        return slot != null && slot.logsDirtyPages();
    }

    /** One more than the last frame of any slot. */
    long endGfn() {
        return byGfn.length == 0 ? 0 : byGfn[byGfn.length - 1].endGfn();
    }

    /** The first guest frame that shows the page at {@code hva}; −1 if no slot does. */
    long gfnOf(long hva) {
        for (MemorySlot slot : byGfn) {
            if (hva >= slot.hva() && hva - slot.hva() >>> 12 < slot.frames()) {
                return slot.baseGfn() + (hva - slot.hva() >>> 12);
            }
        }
        return -1;
    }

    /** Tells every range of guest frames that shows a part of the {@code bytes} bytes at {@code hva}. KVM: kvm_for_each_memslot_in_hva_range. */
    void showing(long hva, long bytes, Part part) {
        for (MemorySlot slot : byGfn) {
            long from = Math.max(hva, slot.hva());
            long to = Math.min(hva + bytes, slot.hva() + (slot.frames() << 12));
            if (from < to) {
                part.of(slot.baseGfn() + (from - slot.hva() >>> 12), to - from >>> 12);
            }
        }
    }

    /**
     * The set in which slot {@code id} is as asked for: created, moved, with other flags or, with {@code bytes} 0, gone. Rules and
     * their order are those of KVM's {@code __kvm_set_memory_region}.
     *
     * @param lastGfn the last frame that a guest can address
     * @throws ErrnoException as {@link MemorySlots#set} says
     */
    SlotSet with(int id, int flags, long gpa, long bytes, long hva, long lastGfn) {
        String what = String.format("slot %d (gpa 0x%x, 0x%x bytes, hva 0x%x)", id, gpa, bytes, hva);
        require((flags & ~FLAGS) == 0, what + String.format(": flags 0x%x are not known", flags & ~FLAGS));
        require(bytes >= 0 && bytes % FRAME == 0, what + ": the size is no multiple of 4096");
        require(gpa >= 0 && gpa % FRAME == 0, what + ": the gpa is no multiple of 4096");
        require(hva >= 0 && hva % FRAME == 0 && hva <= HVA_END - bytes, what + ": the hva is no multiple of 4096 within user space");
        require(id >= 0 && id < MemorySlots.MOST, what + ": slots have numbers from 0 to " + (MemorySlots.MOST - 1));
        require(bytes / FRAME <= MemorySlots.MOST_FRAMES, what + ": a slot has " + MemorySlots.MOST_FRAMES + " frames at most");
        MemorySlot old = byId(id);
        if (bytes == 0) {
            require(old != null, what + ": there is no such slot to delete");
            return replaced(old, null);
        }
        MemorySlot next = new MemorySlot(id, gpa / FRAME, bytes / FRAME, hva, flags);
        require(next.endGfn() - 1 <= lastGfn, what + String.format(": the guest's last frame is 0x%x", lastGfn));
        if (old != null) {
            require(old.hva() == hva && old.frames() == next.frames(), what + ": a slot that is there keeps its size and its pages");
            require(old.readOnly() == next.readOnly(), what + ": a slot that is there stays read-only, or writable");
            if (old.equals(next)) {
                return this;
            }
        }
        for (MemorySlot other : byGfn) {
            if (other != old && next.baseGfn() < other.endGfn() && other.baseGfn() < next.endGfn()) {
                throw new ErrnoException(ErrnoException.EEXIST, what + ": slot " + other.id() + " has some of these addresses");
            }
        }
        return replaced(old, next);
    }

    /** The set without {@code old}, if it is not null. */
    SlotSet without(MemorySlot old) {
        return old == null ? this : replaced(old, null);
    }

    private SlotSet replaced(MemorySlot old, MemorySlot next) {
        return new SlotSet(Stream.concat(
                        Arrays.stream(byGfn).filter(s -> s != old), Stream.ofNullable(next))
                .toArray(MemorySlot[]::new));
    }

    private static void require(boolean holds, String message) {
        if (!holds) {
            throw new ErrnoException(ErrnoException.EINVAL, message);
        }
    }
}
