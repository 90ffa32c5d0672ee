package org.penumbra.cpu.execute;

import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.cpu.Segments;
import org.penumbra.cpu.decode.Insn;
import org.penumbra.cpu.table.Op;

/** Descriptor tables and their registers, and the instructions that look at descriptors for software. SDM vol. 2, by mnemonic. */
final class DescriptorOps {
    private static final long CR4_UMIP = 1 << 11;

    private final Core core;
    private final RegisterFile registers;
    private final Segments segments;
    private final Flags flags;
    private final SegmentLoader loader;

    DescriptorOps(Core core, SegmentLoader loader) {
        this.core = core;
        this.registers = core.registers;
        this.segments = core.segments;
        this.flags = core.flags;
        this.loader = loader;
    }

    void execute(Insn i) {
        switch (i.op) {
            case SGDT:
                storeTable(i, segments.gdtBase, segments.gdtLimit);
                break;
            case SIDT:
                storeTable(i, segments.idtBase, segments.idtLimit);
                break;
            case LGDT:
            case LIDT:
                loadTable(i);
                break;
            case SLDT:
            case STR:
                requireNoUmip();
                core.put(i, segments.selector[i.op == Op.STR ? Segments.TR : Segments.LDTR]);
                break;
            case LLDT:
                loader.system(Segments.LDTR, (int) core.a(i) & 0xffff);
                break;
            case LTR:
                loader.system(Segments.TR, (int) core.a(i) & 0xffff);
                break;
            case SMSW:
                requireNoUmip();
                core.put(i, registers.paging.cr0());
                break;
            default:
                inspect(i);
        }
    }

    private void requireNoUmip() {
        if (registers.paging.has4(CR4_UMIP) && registers.cpl > 0) {
            throw core.gp0();
        }
    }

    private void storeTable(Insn i, long base, int limit) {
        requireNoUmip();
        int wide = core.in64 ? 8 : 4;
        long at = core.linear(i, wide + 2, true);
        core.memory.store(at, 2, limit, core.writing);
        core.memory.store(at + 2, wide, base, core.writing);
    }

    private void loadTable(Insn i) {
        int wide = core.in64 ? 8 : 4;
        long at = core.linear(i, wide + 2, false);
        int limit = (int) core.memory.load(at, 2, core.reading);
        long base = core.memory.load(at + 2, wide, core.reading);
        if (core.in64 && !registers.paging.mode().holds(base)) {
            throw core.gp0();
        }
        if (!core.in64 && i.size == 2) {
            base &= 0xff_ffff;
        }
        if (i.op == Op.LGDT) {
            segments.gdtBase = base;
            segments.gdtLimit = limit;
        } else {
            segments.idtBase = base;
            segments.idtLimit = limit;
        }
    }

    /** VERR, VERW, LAR, LSL, ARPL: ZF says whether. */
    private void inspect(Insn i) {
        switch (i.op) {
            case VERR:
            case VERW:
            case LAR:
            case LSL:
                boolean visible = look(i);
                flags.write(visible ? Flags.ZF : 0, Flags.ZF);
                break;
            case ARPL:
                long a = core.old(i);
                long rpl = core.b(i) & 3;
                boolean raise = (a & 3) < rpl;
                if (raise) {
                    core.put(i, a & ~3L | rpl);
                }
                flags.write(raise ? Flags.ZF : 0, Flags.ZF);
                break;
            default:
                throw new IllegalStateException("no " + i.op + " here");
        }
    }

    private boolean look(Insn i) {
        boolean takes = i.op == Op.LAR || i.op == Op.LSL;
        int selector = (int) (takes ? core.b(i) : core.a(i)) & 0xffff;
        if (SegmentLoader.isNull(selector)) {
            return false;
        }
        long d;
        try {
            d = loader.descriptor(selector, Core.GP);
        } catch (Trap t) {
            if (t == Trap.FAULT && core.vector == Core.GP) {
                return false;
            }
            throw t;
        }
        int rights = SegmentLoader.rights(d);
        boolean segment = (rights & Segments.S) != 0;
        boolean code = segment && (rights & SegmentLoader.CODE) != 0;
        boolean conforming = code && (rights & SegmentLoader.CONFORMING) != 0;
        boolean rw = (rights & SegmentLoader.READ_WRITE) != 0;
        boolean privileged = Math.max(registers.cpl, selector & 3) <= SegmentLoader.dpl(d);
        int type = rights & 15;
        boolean seen;
        switch (i.op) {
            case VERR:
                seen = segment && (!code || rw) && (conforming || privileged);
                break;
            case VERW:
                seen = segment && !code && rw && privileged;
                break;
            case LAR:
                seen = (segment || type == 2 || type == 9 || type == 11 || type == 12 || !core.longMode && (type == 1 || type == 3 || type == 4 || type == 5))
                        && (conforming || privileged);
                if (seen) {
                    core.put(i, d >>> 32 & 0xf0_ff00);
                }
                break;
            default:
                seen = (segment || type == 2 || type == 9 || type == 11 || !core.longMode && (type == 1 || type == 3)) && (conforming || privileged);
                if (seen) {
                    core.put(i, SegmentLoader.limit(d));
                }
        }
        return seen;
    }
}
