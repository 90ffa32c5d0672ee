package org.penumbra.cpu.execute;

import org.penumbra.cpu.decode.Insn;
import org.penumbra.cpu.table.Op;

/** x87: loads, stores, arithmetic, comparisons and the stack. SDM vol. 2, by mnemonic. */
final class X87Ops {
    private final Core core;
    private final X87Unit unit;
    private final SoftFloat soft;
    private final X87Decimal decimal;
    private final X87Remainders remainders;
    private final X87Functions functions;
    private final Real a = new Real();
    private final Real b = new Real();
    private final Real r = new Real();

    X87Ops(X87Unit unit) {
        this.core = unit.core;
        this.unit = unit;
        this.soft = unit.soft;
        this.decimal = new X87Decimal(unit);
        this.remainders = new X87Remainders(unit);
        this.functions = new X87Functions(unit);
    }

    void execute(Insn i) {
        unit.begin(i);
        switch (i.op) {
            case FADD:
            case FSUB:
            case FSUBR:
            case FMUL:
            case FDIV:
            case FDIVR:
                arithmetic(i);
                break;
            case FLD:
                load(i);
                break;
            case FST:
            case FISTTP:
                store(i);
                break;
            case FCOM:
            case FUCOM:
            case FCOMI:
            case FUCOMI:
            case FTST:
                compare(i);
                break;
            case FBLD:
            case FBSTP:
                decimal.execute(i);
                break;
            case FPREM:
            case FPREM1:
            case FSCALE:
            case FXTRACT:
                remainders.execute(i);
                break;
            case F2XM1:
            case FYL2X:
            case FYL2XP1:
            case FPTAN:
            case FPATAN:
            case FSIN:
            case FCOS:
            case FSINCOS:
                functions.execute(i);
                break;
            default:
                registers(i);
        }
        unit.pointers(i);
    }

    private void registers(Insn i) {
        switch (i.op) {
            case FXCH:
                exchange(i.ar);
                break;
            case FCMOV:
                move(i);
                break;
            case FCHS:
            case FABS:
                sign(i);
                break;
            case FXAM:
                examine();
                break;
            case FSQRT:
            case FRNDINT:
                unary(i);
                break;
            case FCONST:
                constant(i.x87 & 7);
                break;
            case FFREE:
                unit.free(i.ar);
                unit.conditions(X87Unit.C1, 0);
                break;
            case FINCSTP:
            case FDECSTP:
                unit.turn(i.op == Op.FINCSTP ? 1 : -1);
                unit.conditions(X87Unit.C1, 0);
                break;
            case FNOP:
                break;
            default:
                throw new IllegalStateException("no " + i.op + " here");
        }
    }

    /** The memory operand, as an integer or a real of its width. */
    private void memory(Insn i, int width, Real to) {
        long at = core.linear(i, width, false);
        if (width == 10) {
            long significand = core.memory.load(at, 8, core.reading);
            to.extended((int) core.memory.load(at + 8, 2, core.reading), significand);
            return;
        }
        long bits = core.memory.load(at, width, core.reading);
        if (i.integer) {
            to.integer(Core.extend(bits, width));
        } else if (width == 4) {
            to.single((int) bits);
        } else {
            to.dbl(bits);
        }
    }

    private void arithmetic(Insn i) {
        boolean fromMemory = i.ak == Insn.MEM;
        int target = fromMemory ? 0 : i.ar;
        int other = fromMemory ? 0 : i.br;
        if (fromMemory) {
            memory(i, i.aw, b);
        }
        if (unit.empty(target) || unit.empty(other)) {
            if (unit.underflow()) {
                unit.setIndefinite(target);
                unit.pop(i.pops);
            }
            return;
        }
        unit.get(target, a);
        if (!fromMemory) {
            unit.get(other, b);
        }
        unit.controlled();
        switch (i.op) {
            case FADD:
                soft.add(a, b, false, r);
                break;
            case FSUB:
                soft.add(a, b, true, r);
                break;
            case FSUBR:
                soft.add(b, a, true, r);
                break;
            case FMUL:
                soft.multiply(a, b, r);
                break;
            case FDIV:
                soft.divide(a, b, r);
                break;
            default:
                soft.divide(b, a, r);
        }
        if (unit.settle()) {
            unit.set(target, r);
            unit.pop(i.pops);
        }
    }

    private void load(Insn i) {
        if (i.ak != Insn.MEM) {
            boolean empty = unit.empty(i.ar);
            int top = unit.top(i.ar);
            long significand = unit.significand(i.ar);
            if (empty) {
                if (unit.underflow()) {
                    unit.turn(-1);
                    unit.setIndefinite(0);
                }
            } else {
                pushAsItIs(top, significand);
            }
            return;
        }
        if (i.aw == 10) {
            // Whatever it is: nothing is looked at.
            long at = core.linear(i, 10, false);
            long significand = core.memory.load(at, 8, core.reading);
            int top = (int) core.memory.load(at + 8, 2, core.reading);
            pushAsItIs(top, significand);
            return;
        }
        memory(i, i.aw, a);
        if (!unit.empty(7)) {
            unit.push(r);
            return;
        }
        soft.convert(a, r);
        // A denormal is loaded even if it raises an exception that is not masked.
        if (unit.settle() || (soft.raised & soft.unmasked & SoftFloat.IE) == 0) {
            unit.push(r);
        }
    }

    /** Pushes a number whatever it is; on a full stack it is an overflow. */
    private void pushAsItIs(int top, long significand) {
        if (!unit.empty(7)) {
            unit.push(r);
        } else {
            unit.conditions(X87Unit.C1, 0);
            unit.turn(-1);
            unit.set(0, top, significand);
        }
    }

    private void store(Insn i) {
        boolean empty = unit.empty(0);
        if (i.ak != Insn.MEM) {
            if (empty) {
                if (unit.underflow()) {
                    unit.setIndefinite(i.ar);
                    unit.pop(i.pops);
                }
            } else {
                unit.conditions(X87Unit.C1, 0);
                unit.set(i.ar, unit.top(0), unit.significand(0));
                unit.pop(i.pops);
            }
            return;
        }
        unit.get(0, a);
        if (empty) {
            boolean masked = (soft.unmasked & SoftFloat.IE) == 0;
            if (masked) {
                r.indefinite();
                put(i, i.integer ? Long.MIN_VALUE >> 64 - 8 * i.aw : i.aw == 4 ? r.toSingle() : r.toDouble(), r.toExtendedTop(), r.significand);
            }
            unit.underflow();
            unit.pop(masked ? i.pops : 0);
        } else if (i.integer) {
            soft.rounding = i.op == Op.FISTTP ? SoftFloat.ZERO : soft.rounding;
            stored(i, soft.integer(a, i.aw), unit.takesEffect());
        } else if (i.aw == 10) {
            put(i, 0, unit.top(0), unit.significand(0));
            unit.conditions(X87Unit.C1, 0);
            unit.pop(i.pops);
        } else {
            storeRounded(i);
        }
    }

    private void storeRounded(Insn i) {
        if (i.aw == 4) {
            soft.toSingle();
        } else {
            soft.toDouble();
        }
        soft.wraps = false;
        soft.convert(a, r);
        soft.raised &= ~SoftFloat.DE;
        boolean kept = (soft.raised & soft.unmasked & (SoftFloat.OE | SoftFloat.UE)) != 0;
        if (kept) {
            // Nothing is stored, so nothing is inexact.
            soft.raised &= ~SoftFloat.PE;
        }
        stored(i, i.aw == 4 ? r.toSingle() : r.toDouble(), unit.takesEffect() && !kept);
    }

    /** Memory first: if it cannot be written, nothing else has happened. */
    private void stored(Insn i, long bits, boolean stores) {
        if (stores) {
            put(i, bits, 0, 0);
        }
        unit.settle();
        unit.pop(stores ? i.pops : 0);
    }

    private void put(Insn i, long bits, int top, long significand) {
        long at = core.linear(i, i.aw, true);
        if (i.aw == 10) {
            core.memory.writable(at, 10, core.writing);
            core.memory.store(at, 8, significand, core.writing);
            core.memory.store(at + 8, 2, top, core.writing);
        } else {
            core.memory.store(at, i.aw, bits, core.writing);
        }
    }

    private void compare(Insn i) {
        boolean fromMemory = i.ak == Insn.MEM;
        boolean flags = i.op == Op.FCOMI || i.op == Op.FUCOMI;
        int other = i.op == Op.FTST || fromMemory ? 0 : i.bk == Insn.ST ? i.br : 1;
        if (fromMemory) {
            memory(i, i.aw, b);
        }
        int order;
        boolean pops = true;
        if (unit.empty(0) || unit.empty(other)) {
            if (!unit.underflow()) {
                return;
            }
            order = 2;
        } else {
            unit.get(0, a);
            if (i.op == Op.FTST) {
                b.zero(false);
            } else if (!fromMemory) {
                unit.get(other, b);
            }
            order = soft.compare(a, b, i.op == Op.FCOM || i.op == Op.FCOMI || i.op == Op.FTST);
            // SDM vol. 2, "FCOM/FCOMP/FCOMPP": only an invalid operand leaves the condition codes as they are.
            boolean invalid = (soft.raised & soft.unmasked & SoftFloat.IE) != 0;
            pops = unit.settle();
            if (invalid) {
                return;
            }
        }
        if (flags) {
            core.flags.write(order == 1 ? 0 : order == -1 ? Flags.CF : order == 0 ? Flags.ZF : Flags.ZF | Flags.PF | Flags.CF, Flags.STATUS);
        } else {
            unit.conditions(X87Unit.C0 | X87Unit.C2 | X87Unit.C3, order == 1 ? 0 : order == -1 ? X87Unit.C0 : order == 0 ? X87Unit.C3
                    : X87Unit.C0 | X87Unit.C2 | X87Unit.C3);
        }
        unit.pop(pops ? i.pops : 0);
    }

    private void exchange(int other) {
        boolean first = unit.empty(0);
        boolean second = unit.empty(other);
        if (first || second) {
            if (!unit.underflow()) {
                return;
            }
            if (first) {
                unit.setIndefinite(0);
            }
            if (second) {
                unit.setIndefinite(other);
            }
        } else {
            unit.conditions(X87Unit.C1, 0);
        }
        int top = unit.top(0);
        long significand = unit.significand(0);
        unit.set(0, unit.top(other), unit.significand(other));
        unit.set(other, top, significand);
    }

    private void move(Insn i) {
        if (unit.empty(0) || unit.empty(i.br)) {
            if (unit.underflow()) {
                unit.setIndefinite(0);
            }
            return;
        }
        // DA has B, E, BE, U in ModRM.reg, DB their negations.
        int code = 2 * (i.x87 >> 3 & 3) + 2;
        boolean met = core.flags.condition((code == 8 ? 10 : code) + (i.x87 >> 8 & 1));
        if (met) {
            unit.set(0, unit.top(i.br), unit.significand(i.br));
        }
    }

    private void sign(Insn i) {
        if (unit.empty(0)) {
            if (unit.underflow()) {
                unit.setIndefinite(0);
            }
            return;
        }
        unit.conditions(X87Unit.C1, 0);
        int top = unit.top(0);
        unit.set(0, i.op == Op.FCHS ? top ^ 0x8000 : top & 0x7fff, unit.significand(0));
    }

    private void examine() {
        unit.get(0, a);
        int kind = unit.empty(0) ? X87Unit.C3 | X87Unit.C0 : a.kind == Real.UNSUPPORTED ? 0 : a.kind == Real.NAN ? X87Unit.C0
                : a.kind == Real.INFINITE ? X87Unit.C2 | X87Unit.C0 : a.kind == Real.ZERO ? X87Unit.C3
                : a.denormal ? X87Unit.C3 | X87Unit.C2 : X87Unit.C2;
        int sign = (unit.top(0) & 0x8000) != 0 ? X87Unit.C1 : 0;
        unit.conditions(X87Unit.C0 | X87Unit.C1 | X87Unit.C2 | X87Unit.C3, kind | sign);
    }

    private void unary(Insn i) {
        if (unit.empty(0)) {
            if (unit.underflow()) {
                unit.setIndefinite(0);
            }
            return;
        }
        unit.get(0, a);
        if (i.op == Op.FSQRT) {
            unit.controlled();
            soft.squareRoot(a, r);
        } else {
            soft.raised |= a.denormal ? SoftFloat.DE : 0;
            soft.integral(a, r);
        }
        if (unit.settle()) {
            unit.set(0, r);
        }
    }

    /** SDM vol. 2, "FLD1/FLDL2T/FLDL2E/FLDPI/FLDLG2/FLDLN2/FLDZ": rounded as the control word says, and not told to be inexact. */
    private void constant(int which) {
        boolean nearest = soft.rounding == SoftFloat.NEAREST;
        boolean upwards = soft.rounding == SoftFloat.UP;
        switch (which) {
            case 0:
                r.finite(false, 0, Long.MIN_VALUE);
                break;
            case 1:
                r.finite(false, 1, 0xd49a_784b_cd1b_8afeL + (upwards ? 1 : 0));
                break;
            case 2:
                r.finite(false, 0, 0xb8aa_3b29_5c17_f0bbL + (upwards || nearest ? 1 : 0));
                break;
            case 3:
                r.finite(false, 1, 0xc90f_daa2_2168_c234L + (upwards || nearest ? 1 : 0));
                break;
            case 4:
                r.finite(false, -2, 0x9a20_9a84_fbcf_f798L + (upwards || nearest ? 1 : 0));
                break;
            case 5:
                r.finite(false, -1, 0xb172_17f7_d1cf_79abL + (upwards || nearest ? 1 : 0));
                break;
            default:
                r.zero(false);
        }
        unit.conditions(X87Unit.C1, 0);
        unit.push(r);
    }
}
