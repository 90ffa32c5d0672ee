package org.penumbra.cpu.execute;

import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.cpu.Segments;
import org.penumbra.api.cpu.SystemRegisters;
import org.penumbra.cpu.decode.Insn;

/** System calls without gates: SYSCALL, SYSRET, SYSENTER, SYSEXIT. Their segments are flat, whatever the descriptors say. */
final class FastCalls {
    private static final long EFER_SCE = 1;
    private static final int FLAT_CODE_64 = 0xa09b;
    private static final int FLAT_CODE_32 = 0xc09b;
    private static final int FLAT_DATA = 0xc093;
    private static final long ALL = 0xffff_ffffL;

    private final Core core;
    private final RegisterFile registers;
    private final Segments segments;
    private final SystemRegisters system;
    private final long[] gpr;
    private final Flags flags;

    FastCalls(Core core) {
        this.core = core;
        this.registers = core.registers;
        this.segments = core.segments;
        this.system = registers.system;
        this.gpr = core.gpr;
        this.flags = core.flags;
    }

    void execute(Insn i) {
        switch (i.op) {
            case SYSCALL:
                syscall();
                break;
            case SYSRET:
                sysret(i.size == 8);
                break;
            case SYSENTER:
                sysenter();
                break;
            default:
                sysexit(i.size == 8);
        }
    }

    /** SDM vol. 2, "SYSCALL—Fast System Call". */
    private void syscall() {
        if (!core.in64 || !registers.paging.hasEfer(EFER_SCE)) {
            throw core.ud();
        }
        gpr[1] = core.next;
        gpr[11] = flags.value() & ~(long) Flags.RF;
        flags.write(0, system.fmask | Flags.RF);
        int cs = (int) (system.star >>> 32) & 0xfffc;
        segments.set(Segments.CS, cs, 0, ALL, FLAT_CODE_64);
        segments.set(Segments.SS, cs + 8, 0, ALL, FLAT_DATA);
        stepByFlags();
        enter(0, system.lstar);
    }

    /** SDM vol. 2, "SYSRET—Return From Fast System Call". */
    private void sysret(boolean to64) {
        if (!core.in64 || !registers.paging.hasEfer(EFER_SCE)) {
            throw core.ud();
        }
        if (to64 && !registers.paging.mode().holds(gpr[1])) {
            throw core.gp0();
        }
        flags.write(gpr[11] & 0x3c_7fd7, ~0L);
        int base = (int) (system.star >>> 48) & 0xffff;
        int cs = (to64 ? base + 16 : base) | 3;
        segments.set(Segments.CS, cs, 0, ALL, (to64 ? FLAT_CODE_64 : FLAT_CODE_32) | 3 << 5);
        segments.set(Segments.SS, base + 8 | 3, 0, ALL, FLAT_DATA | 3 << 5);
        stepByFlags();
        enter(3, to64 ? gpr[1] : gpr[1] & ALL);
    }

    private void sysenter() {
        if (!core.protectedMode || SegmentLoader.isNull((int) system.sysenterCs)) {
            throw core.gp0();
        }
        flags.write(0, Flags.VM | Flags.IF);
        int cs = (int) system.sysenterCs & 0xfffc;
        segments.set(Segments.CS, cs, 0, ALL, core.longMode ? FLAT_CODE_64 : FLAT_CODE_32);
        segments.set(Segments.SS, cs + 8, 0, ALL, FLAT_DATA);
        gpr[4] = core.longMode ? system.sysenterEsp : system.sysenterEsp & ALL;
        enter(0, core.longMode ? system.sysenterEip : system.sysenterEip & ALL);
    }

    private void sysexit(boolean to64) {
        if (!core.protectedMode || SegmentLoader.isNull((int) system.sysenterCs)) {
            throw core.gp0();
        }
        if (to64 && !(registers.paging.mode().holds(gpr[1]) && registers.paging.mode().holds(gpr[2]))) {
            throw core.gp0();
        }
        int cs = (int) system.sysenterCs + (to64 ? 32 : 16) | 3;
        segments.set(Segments.CS, cs, 0, ALL, (to64 ? FLAT_CODE_64 : FLAT_CODE_32) | 3 << 5);
        segments.set(Segments.SS, cs + 8, 0, ALL, FLAT_DATA | 3 << 5);
        long to = to64 ? gpr[2] : gpr[2] & ALL;
        gpr[4] = to64 ? gpr[1] : gpr[1] & ALL;
        enter(3, to);
    }

    /** SYSCALL and SYSRET trap if TF is 1 at their end, whatever it was before, so that IA32_FMASK can keep the trap away (KVM: em_syscall). */
    private void stepByFlags() {
        core.steps = (registers.rflags & Flags.TF) != 0;
    }

    private void enter(int cpl, long at) {
        registers.cpl = cpl;
        core.next = at;
        core.refresh();
    }
}
