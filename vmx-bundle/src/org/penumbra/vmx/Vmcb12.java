package org.penumbra.vmx;

import org.penumbra.api.cpu.Segments;
import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.memory.GuestMemoryException;
import org.penumbra.api.svm.VmcbField;

/**
 * The VMCB at an address that a guest hypervisor gives in RAX: its fields are where APM vol. 2, appendix "Layout of VMCB", has them, in the
 * guest's memory, where that reads and writes them by itself.
 *
 * <pre>
 *  segment register   bits 15:0 selector   31:16 attributes   63:32 limit   127:64 base
 *  attributes         3:0 type   4 S   6:5 DPL   7 P   8 AVL   9 L   10 D/B   11 G: bits 55:52 and 47:40 of a descriptor
 * </pre>
 */
final class Vmcb12 {
    /** Attribute bits that are where {@link Segments} has them, and those that stand 4 places lower. */
    private static final int LOW = 0xff;
    private static final int HIGH = 0xf00;
    private static final int HIGH_SHIFT = 4;

    final long gpa;
    private final GuestMemory memory;
    private final Vmcs12.Store store;

    Vmcb12(long gpa, GuestMemory memory, Vmcs12.Store store) {
        this.gpa = gpa;
        this.memory = memory;
        this.store = store;
    }

    /** True if memory is there. */
    boolean there() {
        try {
            memory.load(gpa, 8);
            return true;
        } catch (GuestMemoryException e) {
            return false;
        }
    }

    /** {@code field}, of 8 bytes at most. */
    long get(VmcbField field) {
        return memory.load(gpa + field.offset(), field.bytes());
    }

    void set(VmcbField field, long value) {
        long at = gpa + field.offset();
        if (field.bytes() == 8) {
            store.put(at, value);
            return;
        }
        int shift = (int) (at & 7) << 3;
        long mask = (1L << 8 * field.bytes()) - 1 << shift;
        store.put(at & -8L, memory.load(at & -8L, 8) & ~mask | value << shift & mask);
    }

    /** Loads segment register {@code segment} of {@code into}, {@code field} here. */
    void load(VmcbField field, Segments into, int segment) {
        long low = memory.load(gpa + field.offset(), 8);
        int attributes = (int) (low >>> 16) & 0xffff;
        int rights = attributes & LOW | (attributes & HIGH) << HIGH_SHIFT;
        boolean usable = (attributes & Segments.PRESENT) != 0;
        into.set(segment, (int) low & 0xffff, base(field), low >>> 32, usable ? rights : rights | Segments.UNUSABLE);
    }

    /** Saves segment register {@code segment} of {@code from} to {@code field}. */
    void save(VmcbField field, Segments from, int segment) {
        int rights = from.rights[segment];
        boolean usable = (rights & Segments.UNUSABLE) == 0;
        long attributes = usable ? rights & LOW | rights >>> HIGH_SHIFT & HIGH : 0;
        descriptor(field, from.selector[segment] & 0xffff | attributes << 16 | from.limit[segment] << 32, from.base[segment]);
    }

    /** Saves a descriptor-table register. */
    void saveTable(VmcbField field, long base, int limit) {
        descriptor(field, (long) limit << 32, base);
    }

    private void descriptor(VmcbField field, long low, long base) {
        store.put(gpa + field.offset(), low);
        store.put(gpa + field.offset() + 8, base);
    }

    /** Base of the segment or descriptor table in {@code field}. */
    long base(VmcbField field) {
        return memory.load(gpa + field.offset() + 8, 8);
    }

    /** Limit of the descriptor table in {@code field}. */
    int limit(VmcbField field) {
        return (int) memory.load(gpa + field.offset() + 4, 4) & 0xffff;
    }
}
