package org.penumbra.cpu.execute;

import static org.penumbra.cpu.execute.Core.extend;
import static org.penumbra.cpu.execute.Core.truncate;

import java.math.BigInteger;
import org.penumbra.api.cpu.Segments;
import org.penumbra.cpu.decode.Insn;
import org.penumbra.cpu.table.Op;

/** The rest of the integer set: multiplication and division by the accumulator, decimal adjustment, flags, loops. SDM vol. 2, by mnemonic. */
final class MiscOps {
    private static final BigInteger TWO_TO_64 = BigInteger.ONE.shiftLeft(64);

    private final Core core;
    private final Flags flags;
    private final long[] gpr;

    MiscOps(Core core) {
        this.core = core;
        this.flags = core.flags;
        this.gpr = core.gpr;
    }

    void execute(Insn i) {
        switch (i.op) {
            case MUL:
            case IMUL1:
                multiply(i);
                break;
            case DIV:
            case IDIV:
                divide(i);
                break;
            case LOOP:
            case LOOPE:
            case LOOPNE:
            case JCXZ:
                loop(i);
                break;
            case PUSHF:
                pushFlags(i);
                break;
            case POPF:
                popFlags(i);
                break;
            case PUSHA:
                long sp = gpr[4];
                checkAll(i, sp);
                for (int r = 0; r < 8; r++) {
                    core.push(truncate(r == 4 ? sp : gpr[r], i.size), i.size);
                }
                break;
            case POPA:
                core.peek(0, i.size);
                core.peek(7 * i.size, i.size);
                for (int r = 7; r >= 0; r--) {
                    long value = core.pop(i.size);
                    if (r != 4) {
                        core.write(r, i.size, value);
                    }
                }
                break;
            case ENTER:
                enter(i);
                break;
            case XLAT:
                long at = truncate(gpr[3] + (gpr[0] & 0xff), i.addressSize);
                core.write(0, 1, core.memory.load(core.linear(i.segment, at, 1, false), 1, core.reading));
                break;
            case SALC:
                // All processors have it, and no table of the SDM's (KVM: em_salc).
                core.write(0, 1, flags.cf() ? 0xff : 0);
                break;
            case BOUND:
                long index = extend(core.a(i), i.size);
                long low = core.linear(i, 2 * i.size, false);
                long least = extend(core.memory.load(low, i.size, core.reading), i.size);
                long most = extend(core.memory.load(low + i.size, i.size, core.reading), i.size);
                if (index < least || index > most) {
                    throw core.fault(Core.BR, 0);
                }
                break;
            case RDPID:
                core.put(i, core.registers.system.tscAux);
                break;
            case CLFLUSH:
                core.a(i);
                break;
            case UD0:
            case UD1:
            case UD2:
                throw core.ud();
            default:
                flag(i);
        }
    }

    private void checkAll(Insn i, long sp) {
        // All eight are stored or none: the lowest and the highest are in at most two pages.
        int bytes = 8 * i.size;
        long lowest = truncate(sp - bytes, core.stackBytes());
        core.memory.load(core.linear(Segments.SS, lowest, i.size, true), i.size, core.writing);
    }

    private void flag(Insn i) {
        switch (i.op) {
            case CMC:
                flags.write(flags.cf() ? 0 : Flags.CF, Flags.CF);
                break;
            case CLC:
                flags.write(0, Flags.CF);
                break;
            case STC:
                flags.write(Flags.CF, Flags.CF);
                break;
            case CLD:
                flags.write(0, Flags.DF);
                break;
            case STD:
                flags.write(Flags.DF, Flags.DF);
                break;
            case CLI:
                requireIopl();
                flags.write(0, Flags.IF);
                break;
            case STI:
                requireIopl();
                if ((flags.value() & Flags.IF) == 0) {
                    flags.write(Flags.IF, Flags.IF);
                    core.registers.system.interruptShadow = true;
                }
                break;
            case SAHF:
                flags.write(gpr[0] >>> 8, Flags.SF | Flags.ZF | Flags.AF | Flags.PF | Flags.CF);
                break;
            case LAHF:
                gpr[0] = gpr[0] & ~0xff00L | (flags.value() & (Flags.SF | Flags.ZF | Flags.AF | Flags.PF | Flags.CF) | 2) << 8;
                break;
            default:
                decimal(i);
        }
    }

    private void requireIopl() {
        if (core.protectedMode && core.registers.cpl > (flags.value() >>> 12 & 3)) {
            throw core.gp0();
        }
    }

    private void multiply(Insn i) {
        long x = core.read(0, i.size);
        long y = core.a(i);
        boolean signed = i.op == Op.IMUL1;
        if (signed) {
            x = extend(x, i.size);
            y = extend(y, i.size);
        }
        long low = x * y;
        long high = i.size < 8 ? low >> (i.size << 3) : signed ? Math.multiplyHigh(x, y) : BitOps.unsignedHigh(x, y);
        if (i.size == 1) {
            core.write(0, 2, low);
        } else {
            core.write(0, i.size, low);
            core.write(2, i.size, high);
        }
        boolean lost = signed ? (i.size == 8 ? high != low >> 63 : extend(low, i.size) != low) : truncate(high, i.size) != 0;
        flags.set(low, i.size, lost, lost, false);
    }

    private void divide(Insn i) {
        long divisor = core.a(i);
        boolean signed = i.op == Op.IDIV;
        if (divisor == 0) {
            throw core.fault(Core.DE, 0);
        }
        if (i.size == 8) {
            divide64(divisor, signed);
            return;
        }
        int bits = i.size << 3;
        long dividend = i.size == 1 ? gpr[0] & 0xffff : core.read(2, i.size) << bits | core.read(0, i.size);
        long quotient;
        long remainder;
        if (signed) {
            dividend = extend(dividend, 2 * i.size);
            divisor = extend(divisor, i.size);
            quotient = dividend / divisor;
            remainder = dividend % divisor;
            // The least number divided by −1 overflows in Java, too.
            if (extend(quotient, i.size) != quotient || divisor == -1 && dividend == Long.MIN_VALUE) {
                throw core.fault(Core.DE, 0);
            }
        } else {
            quotient = Long.divideUnsigned(dividend, divisor);
            remainder = Long.remainderUnsigned(dividend, divisor);
            if (truncate(quotient, i.size) != quotient) {
                throw core.fault(Core.DE, 0);
            }
        }
        if (i.size == 1) {
            core.write(0, 2, quotient & 0xff | (remainder & 0xff) << 8);
        } else {
            core.write(0, i.size, quotient);
            core.write(2, i.size, remainder);
        }
    }

    private void divide64(long divisor, boolean signed) {
        long high = gpr[2];
        long low = gpr[0];
        if (signed ? high == low >> 63 && !(divisor == -1 && low == Long.MIN_VALUE) : high == 0) {
            gpr[0] = signed ? low / divisor : Long.divideUnsigned(low, divisor);
            gpr[2] = signed ? low % divisor : Long.remainderUnsigned(low, divisor);
            return;
        }
        BigInteger by = signed ? BigInteger.valueOf(divisor) : unsigned(divisor);
        BigInteger dividend = (signed ? BigInteger.valueOf(high) : unsigned(high)).shiftLeft(64).add(unsigned(low));
        BigInteger[] parts = dividend.divideAndRemainder(by);
        if (signed ? parts[0].bitLength() > 63 : parts[0].bitLength() > 64) {
            throw core.fault(Core.DE, 0);
        }
        gpr[0] = parts[0].longValue();
        gpr[2] = parts[1].longValue();
    }

    private static BigInteger unsigned(long value) {
        BigInteger b = BigInteger.valueOf(value);
        return value < 0 ? b.add(TWO_TO_64) : b;
    }

    private void loop(Insn i) {
        long count = core.read(1, i.addressSize);
        boolean taken = count == 0;
        if (i.op != Op.JCXZ) {
            count = truncate(count - 1, i.addressSize);
            taken = count != 0 && (i.op == Op.LOOP || flags.zf() == (i.op == Op.LOOPE));
        }
        if (taken) {
            core.jump(core.next + i.imm, i.size);
        }
        if (i.op != Op.JCXZ) {
            core.write(1, i.addressSize, count);
        }
    }

    private void pushFlags(Insn i) {
        core.requireVirtualIopl();
        core.push(flags.value() & ~(long) (Flags.RF | Flags.VM), i.size);
    }

    /** SDM vol. 2, table "Effect of POPF/POPFD on the EFLAGS Register". */
    private void popFlags(Insn i) {
        core.requireVirtualIopl();
        long mask = Flags.STATUS | Flags.TF | Flags.DF | Flags.NT;
        if (i.size > 2) {
            mask |= Flags.AC | Flags.ID;
        }
        if (!core.protectedMode || core.registers.cpl == 0) {
            mask |= Flags.IOPL;
        }
        if (!core.protectedMode || core.registers.cpl <= (flags.value() >>> 12 & 3)) {
            mask |= Flags.IF;
        }
        flags.write(core.pop(i.size), mask);
        if (i.size > 2) {
            flags.write(0, Flags.RF);
        }
        core.refresh();
    }

    private void enter(Insn i) {
        int level = (int) i.imm2 & 31;
        long sp = gpr[4];
        boolean done = false;
        try {
            core.push(truncate(gpr[5], i.size), i.size);
            long frame = gpr[4];
            long bp = gpr[5];
            for (int n = 1; n < level; n++) {
                bp = truncate(bp - i.size, core.stackBytes());
                core.push(core.memory.load(core.linear(Segments.SS, bp, i.size, false), i.size, core.reading), i.size);
            }
            if (level > 0) {
                core.push(truncate(frame, i.size), i.size);
            }
            core.drop(-i.imm);
            // What the next push would hit must be there already.
            core.memory.load(core.linear(Segments.SS, truncate(gpr[4], core.stackBytes()), 1, true), 1, core.writing);
            core.write(5, i.size, frame);
            done = true;
        } finally {
            if (!done) {
                gpr[4] = sp;
            }
        }
    }

    private void decimal(Insn i) {
        int al = (int) gpr[0] & 0xff;
        int ah = (int) gpr[0] >>> 8 & 0xff;
        boolean cf = flags.cf();
        boolean af = flags.af();
        boolean low = (al & 15) > 9 || af;
        switch (i.op) {
            case DAA:
            case DAS:
                int sign = i.op == Op.DAA ? 1 : -1;
                boolean high = al > 0x99 || cf;
                boolean carry = false;
                int r = al;
                if (low) {
                    r += 6 * sign;
                    carry = cf || sign < 0 && al < 6 || sign > 0 && r > 0xff;
                }
                if (high) {
                    r += 0x60 * sign;
                    carry = true;
                }
                core.write(0, 1, r);
                flags.set(r & 0xff, 1, carry, false, low);
                break;
            case AAA:
            case AAS:
                if (low) {
                    core.write(0, 2, i.op == Op.AAA ? (gpr[0] & 0xffff) + 0x106 : (gpr[0] & 0xffff) - 6 - 0x100);
                }
                core.write(0, 1, gpr[0] & 15);
                flags.set(gpr[0] & 0xff, 1, low, false, low);
                break;
            case AAM:
                int base = (int) i.imm & 0xff;
                if (base == 0) {
                    throw core.fault(Core.DE, 0);
                }
                core.write(0, 2, (long) (al / base) << 8 | al % base);
                flags.set(al % base, 1, false, false, false);
                break;
            case AAD:
                int sum = al + ah * (int) i.imm & 0xff;
                core.write(0, 2, sum);
                flags.set(sum, 1, false, false, false);
                break;
            default:
                throw new IllegalStateException("no " + i.op + " here");
        }
    }
}
