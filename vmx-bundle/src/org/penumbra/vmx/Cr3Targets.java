package org.penumbra.vmx;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.penumbra.api.guest.Hypercall;
import org.penumbra.api.memory.GuestMemoryException;
import org.penumbra.api.mmu.LoadableRoots.Loadable;
import org.penumbra.api.vmx.Vmcs;

/**
 * The CR3-target list of one vCPU (SDM vol. 3, "CR3-Target Controls"), for a guest that loads roots of the MMU by itself: which roots are
 * in it, and the guest's slots that say so. Slots are the machine's and survive an MMU; what is in them does not. Used by the
 * vCPU's thread, in root operation.
 */
final class Cr3Targets {
    /** Writes 8 bytes of guest memory in a way that everybody who should learns of it. */
    interface Store {
        void store(long gpa, long value);
    }

    private final Vmcs vmcs;
    private final Store memory;
    /** gpa of the slot by the guest's CR3. */
    private final Map<Long, Long> slots = new TreeMap<>();
    /** The guest's CR3 by the value of the list: what slots hold now. */
    private final Map<Long, Long> listed = new TreeMap<>();

    Cr3Targets(Vmcs vmcs, Store memory) {
        this.vmcs = vmcs;
        this.memory = memory;
    }

    /** Keeps the slot at {@code gpa} for {@code guestCr3}, empty at first; false if it cannot be written. */
    boolean keep(long guestCr3, long gpa) {
        forget(guestCr3);
        if ((gpa & 7) != 0 || !write(gpa, 0)) {
            return false;
        }
        slots.put(guestCr3, gpa);
        return true;
    }

    /** The guest uses the slot of {@code guestCr3} no more; it is not written again. */
    void forget(long guestCr3) {
        slots.remove(guestCr3);
        listed.values().remove(guestCr3);
        program();
    }

    boolean isEmpty() {
        return slots.isEmpty();
    }

    /** Makes those of {@code roots} that the guest has a slot for the list, as many as it has room for. */
    void update(List<Loadable> roots) {
        Map<Long, Long> next = new TreeMap<>();
        for (Loadable r : roots) {
            if (next.size() < Vmcs.MOST_CR3_TARGETS && slots.containsKey(r.guestCr3())) {
                next.put(r.root() | Hypercall.SHADOW_ROOT, r.guestCr3());
            }
        }
        if (next.equals(listed)) {
            return;
        }
        Iterator<Long> old = listed.values().iterator();
        while (old.hasNext()) {
            long guestCr3 = old.next();
            if (!next.containsValue(guestCr3)) {
                fill(guestCr3, 0);
            }
        }
        next.forEach((value, guestCr3) -> {
            if (!guestCr3.equals(listed.get(value))) {
                fill(guestCr3, value);
            }
        });
        listed.clear();
        listed.putAll(next);
        program();
    }

    /** The guest's CR3 that the processor's {@code real} one stands for, which is a value of the list. */
    long guestCr3(long real) {
        Long guestCr3 = listed.get(real);
        if (guestCr3 == null) {
            throw new IllegalStateException(String.format("CR3 is 0x%x, which is neither the MMU's root nor a CR3-target value", real));
        }
        return guestCr3;
    }

    /** Writes for a snapshot where slots are; what is in them is of this MMU. */
    void save(DataOutput out) throws IOException {
        out.writeInt(slots.size());
        for (Map.Entry<Long, Long> e : slots.entrySet()) {
            out.writeLong(e.getKey());
            out.writeLong(e.getValue());
        }
    }

    /** Takes the slots, which are empty. */
    void restore(DataInput in) throws IOException {
        for (int left = in.readInt(); left > 0; left--) {
            slots.put(in.readLong(), in.readLong());
        }
    }

    private void program() {
        int n = 0;
        for (long value : listed.keySet()) {
            vmcs.cr3Targets[n++] = value;
        }
        vmcs.cr3TargetCount = n;
    }

    private void fill(long guestCr3, long value) {
        Long gpa = slots.get(guestCr3);
        if (gpa != null) {
            write(gpa, value);
        }
    }

    private boolean write(long gpa, long value) {
        try {
            memory.store(gpa, value);
            return true;
        } catch (GuestMemoryException e) {
            // A slot without memory behind it says nothing to the guest.
            return false;
        }
    }
}
