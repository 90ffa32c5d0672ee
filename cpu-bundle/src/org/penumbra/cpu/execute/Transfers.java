package org.penumbra.cpu.execute;

import static org.penumbra.cpu.execute.Core.truncate;

import org.penumbra.api.cpu.Processor;
import org.penumbra.api.cpu.Segments;
import org.penumbra.cpu.decode.Insn;

/** Far jumps, calls and returns, and IRET (SDM vol. 2, by mnemonic; vol. 3, "Privilege Checking When Transferring Program Control …"). */
final class Transfers {
    private static final int CALL_GATE = 4;
    private static final int TASK_GATE = 5;
    private static final int CALL_GATE_32 = 12;

    private final Core core;
    private final SegmentLoader loader;
    private final Events events;
    private final TaskSwitch tasks;

    Transfers(Core core, SegmentLoader loader, Events events) {
        this.tasks = events.tasks();
        this.core = core;
        this.loader = loader;
        this.events = events;
    }

    void jump(Insn i) {
        far(i, false);
    }

    void call(Insn i) {
        far(i, true);
    }

    private void far(Insn i, boolean call) {
        int selector = (int) i.imm2;
        long offset = i.imm;
        if (i.ak == Insn.MEM) {
            long at = core.linear(i, i.size, false);
            int size = i.size - 2;
            offset = core.memory.load(at, size, core.reading);
            selector = (int) core.memory.load(at + size, 2, core.reading);
        }
        int size = i.ak == Insn.MEM ? i.size - 2 : i.size;
        if (core.realSegments) {
            if (offset > core.segments.limit[Segments.CS]) {
                throw core.gp0();
            }
            if (call) {
                pushReturn(size);
            }
            realCode(selector);
            core.next = offset;
            return;
        }
        if (SegmentLoader.isNull(selector)) {
            throw core.gp0();
        }
        long d = loader.descriptor(selector, Core.GP);
        if ((SegmentLoader.rights(d) & Segments.S) == 0) {
            gate(selector, d, call);
            return;
        }
        int cpl = core.registers.cpl;
        boolean conforming = (SegmentLoader.rights(d) & SegmentLoader.CONFORMING) != 0;
        boolean allowed = conforming ? SegmentLoader.dpl(d) <= cpl : (selector & 3) <= cpl && SegmentLoader.dpl(d) == cpl;
        if (!SegmentLoader.isCode(d) || !allowed) {
            throw core.fault(Core.GP, selector & 0xfffc);
        }
        requireUsable(selector, d);
        long target = truncate(offset, size);
        requireTarget(target, d);
        if (call) {
            pushReturn(size);
        }
        loader.code(selector, d, cpl);
        core.next = target;
    }

    private void pushReturn(int size) {
        core.peekForWrite(2 * size);
        core.push(core.segments.selector[Segments.CS], size);
        core.push(core.next, size);
    }

    private void realCode(int selector) {
        if (core.virtual86) {
            loader.virtual86(Segments.CS, selector);
            core.refresh();
            return;
        }
        core.segments.selector[Segments.CS] = selector & 0xffff;
        core.segments.base[Segments.CS] = (long) (selector & 0xffff) << 4;
        core.segments.rights[Segments.CS] = 0x9b;
        core.refresh();
    }

    private void requireUsable(int selector, long d) {
        if (!SegmentLoader.present(d)) {
            throw core.fault(Core.NP, selector & 0xfffc);
        }
        int rights = SegmentLoader.rights(d);
        if (core.longMode && (rights & Segments.L) != 0 && (rights & Segments.DB) != 0) {
            throw core.fault(Core.GP, selector & 0xfffc);
        }
    }

    private void requireTarget(long target, long d) {
        boolean to64 = core.longMode && (SegmentLoader.rights(d) & Segments.L) != 0;
        if (to64 ? !core.registers.paging.mode().holds(target) : target > SegmentLoader.limit(d)) {
            throw core.gp0();
        }
    }

    /** Gates and TSSs; a busy TSS is refused by the task switch. */
    private void gate(int selector, long d, boolean call) {
        int type = SegmentLoader.rights(d) & 15;
        int cpl = core.registers.cpl;
        boolean task = !core.longMode && (type == TASK_GATE || (type & 5) == 1);
        if (task) {
            if (SegmentLoader.dpl(d) < Math.max(cpl, selector & 3)) {
                throw core.fault(Core.GP, selector & 0xfffc);
            }
            if (type == TASK_GATE && !SegmentLoader.present(d)) {
                throw core.fault(Core.NP, selector & 0xfffc);
            }
            int tss = type == TASK_GATE ? (int) (d >>> 16) & 0xffff : selector;
            tasks.to(tss, call ? Processor.BY_CALL : Processor.BY_JUMP, core.next, core.flags.value(), 0);
            return;
        }
        boolean fits = type == CALL_GATE_32 || type == CALL_GATE && !core.longMode;
        if (!fits || SegmentLoader.dpl(d) < Math.max(cpl, selector & 3)) {
            throw core.fault(Core.GP, selector & 0xfffc);
        }
        if (!SegmentLoader.present(d)) {
            throw core.fault(Core.NP, selector & 0xfffc);
        }
        int size = core.longMode ? 8 : type == CALL_GATE_32 ? 4 : 2;
        long high = core.longMode ? loader.upper(selector, Core.GP) << 32 : 0;
        int target = (int) (d >>> 16) & 0xffff;
        long offset = truncate(d & 0xffff | d >>> 32 & 0xffff_0000L | high, size);
        if (SegmentLoader.isNull(target)) {
            throw core.gp0();
        }
        long code = loader.descriptor(target, Core.GP);
        int dpl = SegmentLoader.dpl(code);
        boolean conforming = (SegmentLoader.rights(code) & SegmentLoader.CONFORMING) != 0;
        boolean only64 = core.longMode && (SegmentLoader.rights(code) & (Segments.L | Segments.DB)) != Segments.L;
        if (!SegmentLoader.isCode(code) || dpl > cpl || !call && !conforming && dpl != cpl || only64) {
            throw core.fault(Core.GP, target & 0xfffc);
        }
        requireUsable(target, code);
        requireTarget(offset, code);
        if (call && !conforming && dpl < cpl) {
            events.enterInner(target, code, offset, size, (int) (d >>> 32) & 31);
            return;
        }
        if (call) {
            pushReturn(size);
        }
        loader.code(target, code, cpl);
        core.next = offset;
    }

    /** SDM vol. 2, "IRET/IRETD/IRETQ—Interrupt Return", RETURN-TO-VIRTUAL-8086-MODE: IP, CS, FLAGS, SP, SS, ES, DS, FS, GS. */
    private void toVirtual86(long ip, int cs, long image) {
        if (ip > 0xffff) {
            throw core.gp0();
        }
        long sp = core.peek(12, 4);
        int[] selectors = new int[6];
        selectors[Segments.CS] = cs;
        selectors[Segments.SS] = (int) core.peek(16, 4);
        selectors[Segments.ES] = (int) core.peek(20, 4);
        selectors[Segments.DS] = (int) core.peek(24, 4);
        selectors[Segments.FS] = (int) core.peek(28, 4);
        selectors[Segments.GS] = (int) core.peek(32, 4);
        core.flags.write(image, Flags.STATUS | Flags.TF | Flags.IF | Flags.DF | Flags.IOPL | Flags.NT | Flags.RF | Flags.VM | Flags.AC | Flags.VIF
                | Flags.VIP | Flags.ID);
        for (int s = Segments.ES; s <= Segments.GS; s++) {
            loader.virtual86(s, selectors[s]);
        }
        core.registers.cpl = 3;
        core.gpr[4] = sp;
        core.next = ip;
        core.refresh();
    }

    /** RET to another segment. */
    void ret(Insn i) {
        int size = i.size;
        long ip = core.peek(0, size);
        int selector = (int) core.peek(size, size) & 0xffff;
        if (core.realSegments) {
            if (ip > core.segments.limit[Segments.CS]) {
                throw core.gp0();
            }
            realCode(selector);
            core.next = ip;
            core.drop(2L * size + i.imm);
            return;
        }
        long d = returnDescriptor(selector, ip);
        int cpl = selector & 3;
        if (cpl == core.registers.cpl) {
            loader.code(selector, d, cpl);
            core.next = ip;
            core.drop(2L * size + i.imm);
            return;
        }
        long sp = core.peek((int) (2 * size + i.imm), size);
        int ss = (int) core.peek((int) (3 * size + i.imm), size) & 0xffff;
        outer(selector, d, cpl, ss, sp + i.imm, size);
        core.next = ip;
    }

    private long returnDescriptor(int selector, long ip) {
        if (SegmentLoader.isNull(selector)) {
            throw core.gp0();
        }
        long d = loader.descriptor(selector, Core.GP);
        int rpl = selector & 3;
        boolean conforming = (SegmentLoader.rights(d) & SegmentLoader.CONFORMING) != 0;
        boolean allowed = conforming ? SegmentLoader.dpl(d) <= rpl : SegmentLoader.dpl(d) == rpl;
        if (!SegmentLoader.isCode(d) || rpl < core.registers.cpl || !allowed) {
            throw core.fault(Core.GP, selector & 0xfffc);
        }
        requireUsable(selector, d);
        requireTarget(ip, d);
        return d;
    }

    /** Goes to an outer level, or to the same with another stack. */
    private void outer(int selector, long d, int cpl, int ss, long sp, int size) {
        boolean to64 = core.longMode && (SegmentLoader.rights(d) & Segments.L) != 0;
        boolean wasIn64 = core.in64;
        if (SegmentLoader.isNull(ss)) {
            if (!to64 || cpl == 3) {
                throw core.gp0();
            }
            loader.code(selector, d, cpl);
            core.segments.set(Segments.SS, ss, 0, 0, Segments.UNUSABLE | cpl << 5);
        } else {
            long stack = loader.stackDescriptor(ss, cpl, Core.GP);
            loader.code(selector, d, cpl);
            loader.set(Segments.SS, ss, loader.accessed(ss, stack));
        }
        core.refresh();
        if (core.in64 || wasIn64 && size == 8) {
            core.gpr[4] = sp;
        } else {
            core.write(4, core.stackBytes(), sp);
        }
        loader.dropInner();
    }

    /** IRET, which unblocks NMIs (SDM vol. 3, "Handling Multiple NMIs"); one that faults does not. */
    void iret(Insn i) {
        interruptReturn(i);
        core.registers.system.nmiBlocked = false;
        core.resumes = true;
        core.changed = true;
    }

    /** SDM vol. 2, "IRET/IRETD/IRETQ—Interrupt Return". */
    private void interruptReturn(Insn i) {
        int size = i.size;
        core.requireVirtualIopl();
        if (!core.realSegments && (core.flags.value() & Flags.NT) != 0) {
            if (core.longMode) {
                throw core.gp0();
            }
            tasks.back();
            return;
        }
        long ip = core.peek(0, size);
        int selector = (int) core.peek(size, size) & 0xffff;
        long image = core.peek(2 * size, size);
        long mask = Flags.STATUS | Flags.TF | Flags.DF | Flags.NT;
        if (size > 2) {
            mask |= Flags.RF | Flags.AC | Flags.ID;
        }
        if (core.realSegments) {
            if (ip > core.segments.limit[Segments.CS]) {
                throw core.gp0();
            }
            realCode(selector);
            core.next = ip;
            core.drop(3L * size);
            core.flags.write(image, mask | (core.virtual86 ? 0 : Flags.IOPL) | Flags.IF);
            core.refresh();
            return;
        }
        long now = core.flags.value();
        int cpl = core.registers.cpl;
        if ((image & Flags.VM) != 0 && size == 4 && cpl == 0 && !core.longMode) {
            toVirtual86(ip, selector, image);
            return;
        }
        if (cpl == 0) {
            mask |= Flags.IOPL | (size > 2 ? Flags.VIF | Flags.VIP : 0);
        }
        if (cpl <= (now >>> 12 & 3)) {
            mask |= Flags.IF;
        }
        long d = returnDescriptor(selector, ip);
        int level = selector & 3;
        if (core.in64 || level > cpl) {
            long sp = core.peek(3 * size, size);
            int ss = (int) core.peek(4 * size, size) & 0xffff;
            outer(selector, d, level, ss, sp, size);
        } else {
            loader.code(selector, d, level);
            core.drop(3L * size);
        }
        core.next = ip;
        core.flags.write(image, mask);
        core.refresh();
    }
}
