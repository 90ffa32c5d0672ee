package org.penumbra.cpu.execute;

import org.penumbra.api.cpu.GuestOperation;
import org.penumbra.api.cpu.Processor;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.cpu.Segments;
import org.penumbra.api.observe.TranslationObserver;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.ControlBits;

/**
 * Switches to another task through its TSS (SDM vol. 3, "Task Switching").
 *
 * <pre>
 *  TSS, 32 bits   0 link   1c CR3   20 EIP   24 EFLAGS   28–44 EAX, ECX … EDI   48 ES, CS, SS, DS, FS, GS   60 LDT   64 bit 0 T
 *       16 bits   0 link            0e IP    10 FLAGS    12–20 AX, CX … DI      22 ES, CS, SS, DS           2a LDT
 * </pre>
 *
 * Both TSSs are found to be accessible before anything changes; what fails after that, fails in the new task. Under a hypervisor all of it is
 * emulated, by this code with the hypervisor's memory.
 */
final class TaskSwitch {
    private static final int BUSY = 2;
    private static final int WIDE = 8;
    private static final long CR0_TS = 1 << 3;
    private static final long DR6_BT = 1 << 15;
    /** L0 to L3 and LE, which are the task's. */
    private static final long DR7_LOCAL = 0x155;
    private static final long FLAGS = 0x3f_7fd7;

    private final Core core;
    private final SegmentLoader loader;
    private final Segments segments;
    private final RegisterFile registers;
    private final int vcpu;

    TaskSwitch(Core core, SegmentLoader loader, int vcpu) {
        this.core = core;
        this.loader = loader;
        this.segments = core.segments;
        this.registers = core.registers;
        this.vcpu = vcpu;
    }

    /** Where the fields of a TSS lie. */
    private record Layout(int ip, int flags, int registers, int segments, int count, int ldt, int width, int step, int limit) {
        static final Layout NARROW = new Layout(0x0e, 0x10, 0x12, 0x22, 4, 0x2a, 2, 2, 0x2b);
        static final Layout OF_32_BITS = new Layout(0x20, 0x24, 0x28, 0x48, 6, 0x60, 4, 4, 0x67);

        static Layout of(int rights) {
            return (rights & WIDE) != 0 ? OF_32_BITS : NARROW;
        }
    }

    /** IRET with NT = 1: back to the task that the link names. */
    void back() {
        to((int) core.memory.system(segments.base[Segments.TR], 2), Processor.BY_IRET, core.next, core.flags.value() & ~(long) Flags.NT, 0);
    }

    /**
     * Goes to the task of the TSS {@code selector}.
     *
     * @param source one of {@link Processor}'s
     * @param ip where the old task goes on
     * @param image its EFLAGS
     * @param ext bit 0 of error codes
     */
    void to(int selector, int source, long ip, long image, int ext) {
        boolean back = source == Processor.BY_IRET;
        int vector = back ? Core.TS : Core.GP;
        int code = selector & 0xfffc | ext;
        if ((selector & 4) != 0 || SegmentLoader.isNull(selector)) {
            throw core.fault(vector, code);
        }
        long d = loader.descriptor(selector, vector);
        int rights = SegmentLoader.rights(d);
        if ((rights & (Segments.S | 15) & ~WIDE) != (back ? 1 | BUSY : 1)) {
            throw core.fault(vector, code);
        }
        if (!SegmentLoader.present(d)) {
            throw core.fault(Core.NP, code);
        }
        Layout layout = Layout.of(rights);
        if (SegmentLoader.limit(d) < layout.limit) {
            throw core.fault(Core.TS, code);
        }
        if (!core.memory.emulating()) {
            core.memory.operation.kind = GuestOperation.Kind.TASK_SWITCH;
            core.require(core.cpu.taskSwitch(selector, source));
        }
        change(selector, d, source, ip, image, layout);
    }

    private void change(int selector, long d, int source, long ip, long image, Layout layout) {
        long base = SegmentLoader.base(d);
        long old = segments.base[Segments.TR];
        int oldSelector = segments.selector[Segments.TR];
        Layout saved = Layout.of(segments.rights[Segments.TR]);
        core.memory.load(old + saved.ip & 0xffff_ffffL, saved.width, Access.WRITE);
        core.memory.load(old + saved.segments + (saved.count - 1) * saved.step & 0xffff_ffffL, 2, Access.WRITE);
        long[] fields = read(base, layout);
        boolean nests = source == Processor.BY_CALL || source == Processor.BY_GATE;
        if (!nests) {
            busy(oldSelector, false);
        }
        save(old, saved, ip, image);
        if (nests) {
            core.memory.storeSystem(base, 2, oldSelector);
        }
        if (source != Processor.BY_IRET) {
            busy(selector, true);
        }
        segments.set(Segments.TR, selector, base, SegmentLoader.limit(d), SegmentLoader.rights(d) | BUSY);
        boolean wide = layout == Layout.OF_32_BITS;
        load(wide && registers.paging.has0(ControlBits.CR0_PG) ? core.memory.system(base + 0x1c, 4) : registers.paging.cr3());
        boolean traps = wide && (core.memory.system(base + 0x64, 2) & 1) != 0;
        enter(fields, nests, layout);
        if (traps) {
            core.breakpoints.report(DR6_BT);
            throw core.fault(Core.DB, 0);
        }
    }

    /** IP, FLAGS, eight registers, segments, LDT. */
    private long[] read(long base, Layout l) {
        long[] fields = new long[17];
        fields[0] = core.memory.system(base + l.ip, l.width);
        fields[1] = core.memory.system(base + l.flags, l.width);
        for (int r = 0; r < 8; r++) {
            fields[2 + r] = core.memory.system(base + l.registers + (long) r * l.step, l.width);
        }
        for (int s = 0; s < l.count; s++) {
            fields[10 + s] = core.memory.system(base + l.segments + (long) s * l.step, 2);
        }
        fields[16] = core.memory.system(base + l.ldt, 2);
        return fields;
    }

    private void save(long base, Layout l, long ip, long image) {
        core.memory.storeSystem(base + l.ip, l.width, Core.truncate(ip, l.width));
        core.memory.storeSystem(base + l.flags, l.width, Core.truncate(image, l.width));
        for (int r = 0; r < 8; r++) {
            core.memory.storeSystem(base + l.registers + (long) r * l.step, l.width, core.read(r, l.width));
        }
        for (int s = 0; s < l.count; s++) {
            core.memory.storeSystem(base + l.segments + (long) s * l.step, 2, segments.selector[s]);
        }
    }

    private void busy(int selector, boolean on) {
        long at = segments.gdtBase + (selector & 0xfff8) + 5;
        long octet = core.memory.system(at, 1);
        core.memory.storeSystem(at, 1, on ? octet | BUSY : octet & ~(long) BUSY);
    }

    /** CR0.TS and CR3, whatever the privilege was. */
    private void load(long cr3) {
        if (core.memory.emulating()) {
            core.memory.switchTask(cr3);
        } else {
            int cpl = registers.cpl;
            registers.cpl = 0;
            try {
                core.require(core.cpu.movToCr0(registers.paging.cr0() | CR0_TS));
                if (registers.paging.has0(ControlBits.CR0_PG)) {
                    core.require(core.cpu.movToCr3(cr3));
                }
            } finally {
                registers.cpl = cpl;
            }
        }
        TranslationObserver observer = core.cpu.observer();
        if (observer != null) {
            observer.loaded(vcpu, registers.paging, false);
        }
    }

    private void enter(long[] fields, boolean nests, Layout layout) {
        registers.rip = fields[0];
        core.next = fields[0];
        for (int r = 0; r < 8; r++) {
            registers.gpr[r] = fields[2 + r];
        }
        core.flags.write(fields[1] | (nests ? Flags.NT : 0) | 2, FLAGS);
        registers.system.debug[7] &= ~DR7_LOCAL;
        core.resumes = true;
        for (int s = Segments.ES; s <= Segments.GS; s++) {
            segments.set(s, (int) fields[10 + s], 0, 0, Segments.UNUSABLE);
        }
        segments.set(Segments.LDTR, (int) fields[16], 0, 0, Segments.UNUSABLE);
        boolean virtual86 = (fields[1] & Flags.VM) != 0 && layout.width == 4;
        registers.cpl = virtual86 ? 3 : (int) fields[10 + Segments.CS] & 3;
        core.refresh();
        localTable((int) fields[16]);
        if (virtual86) {
            for (int s = Segments.ES; s <= Segments.GS; s++) {
                loader.virtual86(s, (int) fields[10 + s]);
            }
        } else {
            protectedSegments(fields, layout.count);
        }
        core.refresh();
    }

    private void localTable(int selector) {
        if (SegmentLoader.isNull(selector)) {
            return;
        }
        if ((selector & 4) != 0) {
            throw core.fault(Core.TS, selector & 0xfffc);
        }
        long d = loader.descriptor(selector, Core.TS);
        if ((SegmentLoader.rights(d) & (Segments.S | 15)) != 2 || !SegmentLoader.present(d)) {
            throw core.fault(Core.TS, selector & 0xfffc);
        }
        loader.set(Segments.LDTR, selector, d);
    }

    private void protectedSegments(long[] fields, int count) {
        int cs = (int) fields[10 + Segments.CS];
        int cpl = registers.cpl;
        if (SegmentLoader.isNull(cs)) {
            throw core.fault(Core.TS, 0);
        }
        long d = loader.descriptor(cs, Core.TS);
        int dpl = SegmentLoader.dpl(d);
        boolean conforming = (SegmentLoader.rights(d) & SegmentLoader.CONFORMING) != 0;
        if (!SegmentLoader.isCode(d) || (conforming ? dpl > cpl : dpl != cpl)) {
            throw core.fault(Core.TS, cs & 0xfffc);
        }
        if (!SegmentLoader.present(d)) {
            throw core.fault(Core.NP, cs & 0xfffc);
        }
        loader.set(Segments.CS, cs, loader.accessed(cs, d));
        core.refresh();
        loader.stack((int) fields[10 + Segments.SS], cpl, Core.TS);
        core.refresh();
        for (int s : new int[] {Segments.ES, Segments.DS, Segments.FS, Segments.GS}) {
            loader.data(s, s - Segments.ES < count ? (int) fields[10 + s] : 0, Core.TS);
        }
    }
}
