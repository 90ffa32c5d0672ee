package org.penumbra.vmx;

import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.memory.GuestMemoryException;
import org.penumbra.api.vmx.VmcsField;
import org.penumbra.api.vmx.VmcsRegion;

/**
 * The VMCS that a guest hypervisor has made current: its contents are kept here from VMPTRLD on and go to the guest's memory when it is
 * current no longer (SDM vol. 3, "Virtual-Machine Control Structures: Overview": software must not look at them there).
 *
 * <pre>
 *  byte 0    revision identifier, bits 30:0
 *  byte 8    launch state: 0 clear, 1 launched
 *  byte 16 … 8 bytes for each {@link VmcsField}, in its order
 * </pre>
 */
final class Vmcs12 {
    private static final int LAUNCHED_AT = 8;
    private static final int FIELDS_AT = 16;
    private static final long REVISION_BITS = 0x7fff_ffff;

    /** What stores for the hypervisor, and has those told who must know. */
    interface Store {
        void put(long gpa, long value);
    }

    final VmcsRegion fields = new VmcsRegion();
    final long gpa;
    boolean launched;

    /** The VMCS at {@code gpa}, which is there. */
    Vmcs12(long gpa, GuestMemory memory) {
        this.gpa = gpa;
        launched = memory.load(gpa + LAUNCHED_AT, 8) == 1;
        for (VmcsField field : VmcsField.values()) {
            fields.set(field, memory.load(at(gpa, field), 8));
        }
    }

    /** Puts it back into memory. */
    void write(Store store) {
        store.put(gpa + LAUNCHED_AT, launched ? 1 : 0);
        for (VmcsField field : VmcsField.values()) {
            store.put(at(gpa, field), fields.get(field));
        }
    }

    /** VMCLEAR of the VMCS at {@code gpa} that is not current. */
    static void clear(long gpa, Store store) {
        store.put(gpa + LAUNCHED_AT, 0);
    }

    /** The revision identifier at {@code gpa}, −1 where no memory is. */
    static long revision(long gpa, GuestMemory memory) {
        try {
            return memory.load(gpa, 4) & REVISION_BITS;
        } catch (GuestMemoryException e) {
            return -1;
        }
    }

    private static long at(long gpa, VmcsField field) {
        return gpa + FIELDS_AT + 8L * field.ordinal();
    }
}
