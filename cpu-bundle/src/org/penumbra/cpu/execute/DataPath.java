package org.penumbra.cpu.execute;

import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.cpu.GuestOperation;
import org.penumbra.api.cpu.MemoryHooks;
import org.penumbra.api.cpu.MemoryPort;
import org.penumbra.api.cpu.Outcome;
import org.penumbra.api.cpu.Segments;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.paging.Access;

/**
 * Data in memory by linear address: through the processor's translation, or through the hypervisor's hooks while it emulates an
 * instruction. What cannot be done leaves by a {@link Trap}.
 */
final class DataPath {
    private static final int PAGE = PhysicalMemory.FRAME_BYTES;

    private final Core core;
    private final MemoryPort port;
    /** Null unless an instruction is emulated. */
    private MemoryHooks hooks;
    /** The frame that code is executed from now; a store to it is to be noticed. */
    private long codeFrame = -1;
    final GuestOperation operation = new GuestOperation();
    /** Null unless somebody records. */
    private final AccessLog log;
    /** Nobody records, no breakpoint waits for accesses, and they need not be aligned. */
    private boolean plain;

    DataPath(Core core, MemoryPort port, AccessLog log) {
        this.core = core;
        this.port = port;
        this.log = log;
        this.plain = log == null;
    }

    /** Whether breakpoints are to hear of accesses. */
    void watch(boolean watched) {
        plain = log == null && !watched && !core.checksAlignment;
    }

    void emulate(MemoryHooks memory) {
        hooks = memory;
    }

    boolean emulating() {
        return hooks != null;
    }

    void codeFrame(long hpa) {
        codeFrame = hpa >>> 12;
    }

    /** Up to 8 bytes, zero-extended; {@code access} may be a write kind, if a store is to follow. */
    long load(long gva, int width, int access) {
        if (plain) {
            return read(gva, width, access);
        }
        requireAligned(gva, width, access);
        long value = read(gva, width, access);
        if (log != null) {
            log.load(gva, width, access);
        }
        core.breakpoints.data(gva, width, false);
        return value;
    }

    /** A page fault comes before #AC, and a device sees nothing of the access. */
    private void requireAligned(long gva, int width, int access) {
        if (misaligned(gva, width, access)) {
            if (hooks == null) {
                read(gva, width, access);
            } else {
                prepare(gva, width, access & 3, access);
            }
            throw core.fault(Core.AC, 0);
        }
    }

    /** Implicit accesses with supervisor rights are not checked; what is read in parts of 8 bytes is checked for 8. */
    private boolean misaligned(long gva, int width, int access) {
        return core.checksAlignment && (access & Access.USER) != 0 && (gva & Integer.highestOneBit(width) - 1) != 0;
    }

    private long read(long gva, int width, int access) {
        if (hooks == null) {
            int outcome = port.load(gva, width, access);
            if (outcome == Outcome.DONE) {
                return port.value;
            }
            throw failed(outcome, gva, width, access);
        }
        prepare(gva, width, access & 3, access);
        return hooks.load(gva, width);
    }

    /** A supervisor access at CPL 3 is an implicit one, of the delivery of an event for instance. */
    private void prepare(long gva, int width, int operation, int access) {
        int cpl = core.registers.cpl;
        core.registers.cpl = (access & Access.USER) == 0 ? 0 : cpl;
        try {
            if (!hooks.prepare(gva, width, operation)) {
                throw Trap.REFUSED;
            }
        } finally {
            core.registers.cpl = cpl;
        }
    }

    /** The hypervisor loads CR3, and sets CR0.TS. */
    void switchTask(long cr3) {
        if (!hooks.switchTask(cr3)) {
            throw Trap.REFUSED;
        }
    }

    void store(long gva, int width, long value, int access) {
        if (plain) {
            write(gva, width, value, access);
            return;
        }
        requireAligned(gva, width, access);
        write(gva, width, value, access);
        if (log != null) {
            log.store(gva, width);
        }
        core.breakpoints.data(gva, width, true);
    }

    private void write(long gva, int width, long value, int access) {
        if (hooks != null) {
            prepare(gva, width, Access.WRITE, access);
            hooks.store(gva, width, value);
            return;
        }
        int outcome = port.store(gva, width, value, access);
        if (outcome != Outcome.DONE) {
            operation.value = value;
            throw failed(outcome, gva, width, access);
        }
        if (port.stored >>> 12 == codeFrame || (gva & PAGE - 1) + width > PAGE) {
            core.changed = true;
        }
    }

    /** Faults if {@code bytes} at {@code gva} lie in two pages and one cannot be written: nothing must be stored in the other then. */
    void writable(long gva, int bytes, int access) {
        if ((gva & PAGE - 1) + bytes > PAGE) {
            load(gva, 1, access);
            load(gva + bytes - 1, 1, access);
        }
    }

    private Trap failed(int outcome, long gva, int width, int access) {
        Trap trap = core.trap(outcome);
        if (trap == Trap.FAULT && core.vector == GuestException.GP && core.faultSegment == Segments.SS) {
            // SDM vol. 1, "Canonical Addressing": #SS for a reference through the stack segment.
            core.vector = Core.SS;
        }
        operation.kind = Access.isWrite(access) ? GuestOperation.Kind.STORE : GuestOperation.Kind.LOAD;
        operation.gva = gva;
        operation.width = width;
        return trap;
    }

    /** Reads a system structure: with supervisor rights whatever the privilege is (SDM vol. 3, "Access Rights", implicit accesses). */
    long system(long gva, int width) {
        core.faultSegment = Segments.DS;
        return load(core.in64 || core.longMode ? gva : gva & 0xffff_ffffL, width, Access.READ);
    }

    void storeSystem(long gva, int width, long value) {
        core.faultSegment = Segments.DS;
        store(core.in64 || core.longMode ? gva : gva & 0xffff_ffffL, width, value, Access.WRITE);
    }
}
