package org.penumbra.cpu.execute;

import static org.penumbra.cpu.execute.Core.truncate;

import org.penumbra.api.cpu.Processor;
import org.penumbra.api.cpu.Segments;
import org.penumbra.api.paging.Access;

/**
 * Delivery of exceptions and interrupts through the IDT, and the stacks that come from the TSS (SDM vol. 3, "Interrupt and Exception Handling").
 *
 * <pre>
 *  gate    15:0 offset 15:0   31:16 selector   34:32 IST   43:40 type (5 task, 6/7 16 bits, E/F)   46:45 DPL   47 P
 *          63:48 offset 31:16; in IA-32e mode 95:64 offset 63:32
 *  frame   [error code] IP CS FLAGS [SP SS]
 * </pre>
 *
 * All stores come before the first register changes, so that a fault leaves the state as it was.
 */
final class Events {
    private static final int INTERRUPT_GATE_16 = 6;
    private static final int TRAP_GATE_16 = 7;
    private static final int TRAP_GATE = 15;
    private static final int INTERRUPT_GATE = 14;
    /** Exceptions of class "fault": the frame has RF = 1 (SDM vol. 3, "Flags Usage of Exception- or Interrupt-Handler Procedure"). */
    private static final long FAULTS = 0x3_7ce1 | 1 << Core.XM | 1 << 21;
    private static final int TASK_GATE = 5;
    /** What a frame from virtual-8086 mode has above SS, in the order of the pushes. */
    private static final int[] OF_VIRTUAL_8086 = {Segments.GS, Segments.FS, Segments.DS, Segments.ES};
    private static final int EXTERNAL = 1;
    private static final int IN_IDT = 2;

    private final Core core;
    private final SegmentLoader loader;
    private final TaskSwitch tasks;
    private final Segments segments;
    /** The stack that a transfer uses, under construction. */
    private long sp;
    private long stackBase;
    private long stackMask;

    Events(Core core, SegmentLoader loader, TaskSwitch tasks) {
        this.tasks = tasks;
        this.core = core;
        this.loader = loader;
        this.segments = core.segments;
    }

    /** True if exception {@code vector} pushes an error code. */
    static boolean hasErrorCode(int vector) {
        return vector == Core.DF || vector >= Core.TS && vector <= Core.PF || vector == Core.AC || vector == 21;
    }

    /**
     * Goes to the handler of {@code vector}; the frame leads back to {@code ip}.
     *
     * @param software it comes from INT n, INT3 or INTO: privilege of the gate is checked, and error codes have EXT = 0
     */
    void deliver(int vector, boolean hasError, int error, long ip, boolean software) {
        if (!core.protectedMode) {
            real(vector, ip);
            return;
        }
        int ext = software ? 0 : EXTERNAL;
        int code = vector << 3 | IN_IDT | ext;
        int bytes = core.longMode ? 16 : 8;
        if (vector * bytes + bytes - 1 > (segments.idtLimit & 0xffff)) {
            throw core.fault(Core.GP, code);
        }
        long at = segments.idtBase + vector * bytes;
        long gate = core.memory.system(at, 8);
        int type = (int) (gate >>> 40) & 31;
        boolean wide = type == INTERRUPT_GATE || type == TRAP_GATE;
        boolean task = type == TASK_GATE && !core.longMode;
        if (!wide && !task && (core.longMode || type != INTERRUPT_GATE_16 && type != TRAP_GATE_16)
                || software && SegmentLoader.dpl(gate) < core.registers.cpl) {
            throw core.fault(Core.GP, code);
        }
        if (!SegmentLoader.present(gate)) {
            throw core.fault(Core.NP, code);
        }
        boolean restarts = !software && vector < 32 && (FAULTS >>> vector & 1) != 0;
        if (task) {
            task((int) (gate >>> 16) & 0xffff, ip, restarts, hasError, error, ext);
            return;
        }
        int size = core.longMode ? 8 : wide ? 4 : 2;
        long high = core.longMode ? core.memory.system(at + 8, 8) << 32 : 0;
        long offset = truncate(gate & 0xffff | gate >>> 32 & 0xffff_0000L | high, size);
        int selector = (int) (gate >>> 16) & 0xffff;
        if (SegmentLoader.isNull(selector)) {
            throw core.fault(Core.GP, ext);
        }
        long d = withExt(selector, ext);
        int level = target(selector, d, ext);
        if (core.virtual86 && level != 0) {
            throw core.fault(Core.GP, selector & 0xfffc | ext);
        }
        int ist = core.longMode ? (int) (gate >>> 32) & 7 : 0;
        boolean masks = type == INTERRUPT_GATE || type == INTERRUPT_GATE_16;
        enter(selector, d, level, offset, size, ist, hasError, error, ip, masks, ext, restarts);
    }

    /** SDM vol. 3, "Interrupt Tasks": the error code goes to the stack of the new task. */
    private void task(int selector, long ip, boolean restarts, boolean hasError, int error, int ext) {
        long flags = core.flags.value();
        tasks.to(selector, Processor.BY_GATE, ip, restarts ? flags | Flags.RF : flags, ext);
        if (hasError) {
            core.push(error & 0xffff_ffffL, (segments.rights[Segments.TR] & 8) != 0 ? 4 : 2);
        }
    }

    TaskSwitch tasks() {
        return tasks;
    }

    /** The privilege level of a handler in {@code selector}, checked. */
    private int target(int selector, long d, int ext) {
        int cpl = core.registers.cpl;
        boolean only64 = core.longMode && (SegmentLoader.rights(d) & (Segments.L | Segments.DB)) != Segments.L;
        if (!SegmentLoader.isCode(d) || SegmentLoader.dpl(d) > cpl || only64) {
            throw core.fault(Core.GP, selector & 0xfffc | ext);
        }
        if (!SegmentLoader.present(d)) {
            throw core.fault(Core.NP, selector & 0xfffc | ext);
        }
        return (SegmentLoader.rights(d) & SegmentLoader.CONFORMING) != 0 ? cpl : SegmentLoader.dpl(d);
    }

    private long withExt(int selector, int ext) {
        try {
            return loader.descriptor(selector, Core.GP);
        } catch (Trap t) {
            if (t == Trap.FAULT && core.vector == Core.GP) {
                core.errorCode |= ext;
            }
            throw t;
        }
    }

    private void enter(
            int selector, long d, int level, long offset, int size, int ist, boolean hasError, int error, long ip, boolean masks, int ext,
            boolean restarts) {
        long oldSp = core.gpr[4];
        int oldSs = segments.selector[Segments.SS];
        long flags = core.flags.value();
        boolean inner = level < core.registers.cpl;
        int newSs = -1;
        long newSsDescriptor = 0;
        if (inner || ist != 0) {
            if (core.longMode) {
                sp = ist != 0 ? tss(28 + 8 * ist, 8, ext) : tss(4 + 8 * level, 8, ext);
                requireCanonical(ext);
                newSs = inner ? level : -1;
            } else {
                newSs = innerStack(level, ext);
                newSsDescriptor = loader.stackDescriptor(newSs, level, Core.TS);
            }
        } else {
            sp = oldSp;
        }
        boolean switched = inner || ist != 0;
        frame(inner && !core.longMode, newSsDescriptor);
        if (core.longMode) {
            sp &= -16L;
        }
        int access = core.registers.cpl == 3 ? Access.WRITE : core.writing;
        boolean from86 = core.virtual86;
        if (from86) {
            for (int s : OF_VIRTUAL_8086) {
                push(segments.selector[s], size, access);
            }
        }
        if (core.longMode || switched) {
            push(oldSs, size, access);
            push(oldSp, size, access);
        }
        push(restarts ? flags | Flags.RF : flags, size, access);
        push(segments.selector[Segments.CS], size, access);
        push(ip, size, access);
        if (hasError) {
            push(error & 0xffff_ffffL, size, access);
        }
        long top = sp;
        if (!core.longMode && offset > SegmentLoader.limit(d)) {
            throw core.fault(Core.GP, ext);
        }
        loader.code(selector, d, level);
        if (inner && core.longMode) {
            segments.set(Segments.SS, newSs, 0, 0, Segments.UNUSABLE | level << 5);
        } else if (inner) {
            loader.set(Segments.SS, newSs, loader.accessed(newSs, newSsDescriptor));
        }
        if (from86) {
            for (int s : OF_VIRTUAL_8086) {
                segments.set(s, 0, 0, 0, Segments.UNUSABLE);
            }
        }
        core.refresh();
        core.write(4, core.longMode ? 8 : core.stackBytes(), top);
        core.next = offset;
        core.flags.write(0, Flags.TF | Flags.NT | Flags.RF | Flags.VM | (masks ? Flags.IF : 0));
        core.refresh();
    }

    private void requireCanonical(int ext) {
        if (!core.registers.paging.mode().holds(sp)) {
            throw core.fault(Core.SS, ext);
        }
    }

    /** Where pushes go: to the stack that is there, or to that of the descriptor. */
    private void frame(boolean other, long descriptor) {
        stackBase = core.longMode ? 0 : other ? SegmentLoader.base(descriptor) : segments.base[Segments.SS];
        boolean big = ((other ? SegmentLoader.rights(descriptor) : segments.rights[Segments.SS]) & Segments.DB) != 0;
        stackMask = core.longMode ? -1 : big ? 0xffff_ffffL : 0xffff;
    }

    private void push(long value, int size, int access) {
        sp = sp - size & stackMask;
        core.faultSegment = Segments.SS;
        core.memory.store(core.longMode ? sp : stackBase + sp & 0xffff_ffffL, size, truncate(value, size), access);
    }

    /** A field of the TSS; #TS if it lies outside. */
    private long tss(int offset, int size, int ext) {
        if (offset + size - 1 > segments.limit[Segments.TR]) {
            throw core.fault(Core.TS, segments.selector[Segments.TR] & 0xfffc | ext);
        }
        return core.memory.system(segments.base[Segments.TR] + offset, size);
    }

    /** Takes SS:SP of {@code level} from a TSS of 32 or 16 bits: answers SS, and SP is in {@link #sp}. */
    private int innerStack(int level, int ext) {
        boolean wide = (segments.rights[Segments.TR] & 8) != 0;
        sp = wide ? tss(4 + 8 * level, 4, ext) : tss(2 + 4 * level, 2, ext);
        int ss = (int) (wide ? tss(8 + 8 * level, 2, ext) : tss(4 + 4 * level, 2, ext));
        if (SegmentLoader.isNull(ss)) {
            throw core.fault(Core.TS, ext);
        }
        return ss;
    }

    /** A call through a gate to an inner level, {@code count} parameters of {@code size} bytes included. */
    void enterInner(int selector, long d, long offset, int size, int count) {
        int level = SegmentLoader.dpl(d);
        int ss = core.longMode ? level : innerStack(level, 0);
        long stack = core.longMode ? 0 : loader.stackDescriptor(ss, level, Core.TS);
        if (core.longMode) {
            sp = tss(4 + 8 * level, 8, 0);
            requireCanonical(0);
        }
        frame(true, stack);
        push(segments.selector[Segments.SS], size, Access.WRITE);
        push(core.gpr[4], size, Access.WRITE);
        for (int n = core.longMode ? 0 : count; n > 0; n--) {
            push(core.peek((n - 1) * size, size), size, Access.WRITE);
        }
        push(segments.selector[Segments.CS], size, Access.WRITE);
        push(core.next, size, Access.WRITE);
        long top = sp;
        loader.code(selector, d, level);
        if (core.longMode) {
            segments.set(Segments.SS, ss, 0, 0, Segments.UNUSABLE | level << 5);
        } else {
            loader.set(Segments.SS, ss, loader.accessed(ss, stack));
        }
        core.refresh();
        core.write(4, core.stackBytes(), top);
        core.next = offset;
    }

    /** Real-address mode: SDM vol. 3, "Interrupt and Exception Handling" of "8086 Emulation". */
    private void real(int vector, long ip) {
        if (vector * 4 + 3 > segments.idtLimit) {
            throw core.fault(vector == Core.GP ? Core.DF : Core.GP, 0);
        }
        long entry = core.memory.system(segments.idtBase + vector * 4L, 4);
        core.push(core.flags.value() & 0xffff, 2);
        core.push(segments.selector[Segments.CS], 2);
        core.push(ip & 0xffff, 2);
        int selector = (int) (entry >>> 16) & 0xffff;
        segments.selector[Segments.CS] = selector;
        segments.base[Segments.CS] = (long) selector << 4;
        core.next = entry & 0xffff;
        core.flags.write(0, Flags.IF | Flags.TF | Flags.AC);
        core.refresh();
    }
}
