package org.penumbra.cpu.execute;

import static org.penumbra.cpu.execute.Core.extend;
import static org.penumbra.cpu.execute.Core.truncate;

import org.penumbra.cpu.decode.Insn;
import org.penumbra.cpu.table.Op;

/**
 * Shifts and rotations (SDM vol. 2, "RCL/RCR/ROL/ROR—Rotate", "SAL/SAR/SHL/SHR—Shift", "SHLD", "SHRD"). OF for counts other than 1 is as
 * processors set it, from the last single step. A count of 0 writes the operand and changes no flag.
 */
final class ShiftOps {
    private final Core core;
    private final Flags flags;

    ShiftOps(Core core) {
        this.core = core;
        this.flags = core.flags;
    }

    void execute(Insn i) {
        switch (i.op) {
            case ROL:
            case ROR:
            case RCL:
            case RCR:
                rotate(i);
                break;
            case SHLD:
            case SHRD:
                shiftDouble(i);
                break;
            default:
                shift(i);
        }
    }

    private void shift(Insn i) {
        int count = count(core.b(i), i.size);
        core.put(i, shift(flags, i.op, core.old(i), count, i.size));
    }

    /** How far an operand of {@code size} bytes is shifted. */
    static int count(long operand, int size) {
        return (int) operand & (size == 8 ? 63 : 31);
    }

    /** {@code a} of {@code size} bytes shifted by {@code count}. */
    static long shift(Flags flags, Op op, long a, int count, int size) {
        if (count == 0) {
            return a;
        }
        int bits = size << 3;
        long r;
        boolean cf;
        boolean of;
        // Not a switch: the compiler knows which of these it is where op is a constant.
        if (op == Op.SHL) {
            r = truncate(a << count, size);
            cf = count <= bits && (a >>> bits - count & 1) != 0;
            of = (r >>> bits - 1 & 1) != 0 != cf;
        } else if (op == Op.SHR) {
            r = a >>> count;
            cf = (a >>> count - 1 & 1) != 0;
            of = ((r >>> bits - 1 ^ r >>> bits - 2) & 1) != 0;
        } else {
            long wide = extend(a, size);
            r = wide >> count;
            cf = (wide >> count - 1 & 1) != 0;
            of = false;
        }
        flags.set(r, size, cf, of, false);
        return r;
    }

    private void rotate(Insn i) {
        int bits = i.size << 3;
        int count = count(core.b(i), i.size);
        long a = core.old(i);
        long r = a;
        boolean cf = flags.cf();
        boolean of = flags.of();
        long top = 1L << bits - 1;
        switch (i.op) {
            case ROL:
                int left = count % bits;
                r = left == 0 ? a : truncate(a << left | a >>> bits - left, i.size);
                if (count != 0) {
                    cf = (r & 1) != 0;
                    of = (r & top) != 0 != cf;
                }
                break;
            case ROR:
                int right = count % bits;
                r = right == 0 ? a : truncate(a >>> right | a << bits - right, i.size);
                if (count != 0) {
                    cf = (r & top) != 0;
                    of = cf != ((r & top >>> 1) != 0);
                }
                break;
            case RCL:
                for (int n = count % (bits + 1); n > 0; n--) {
                    boolean out = (r & top) != 0;
                    r = truncate(r << 1 | (cf ? 1 : 0), i.size);
                    cf = out;
                }
                of = count % (bits + 1) != 0 ? (r & top) != 0 != cf : of;
                break;
            default:
                for (int n = count % (bits + 1); n > 0; n--) {
                    boolean out = (r & 1) != 0;
                    r = r >>> 1 | (cf ? top : 0);
                    cf = out;
                }
                of = count % (bits + 1) != 0 ? ((r ^ r << 1) & top) != 0 : of;
        }
        core.put(i, r);
        if (count != 0) {
            flags.write((cf ? Flags.CF : 0) | (of ? Flags.OF : 0), Flags.CF | Flags.OF);
        }
    }

    private void shiftDouble(Insn i) {
        int count = count(core.c(i), i.size);
        long a = core.old(i);
        if (count == 0) {
            core.put(i, a);
            return;
        }
        int bits = i.size << 3;
        long b = core.b(i);
        // Counts above the width, possible for 16 bits only, are undefined; processors shift a:b:a.
        boolean left = i.op == Op.SHLD;
        long r = a;
        boolean cf = false;
        if (bits == 64) {
            r = left ? a << count | b >>> 64 - count : a >>> count | b << 64 - count;
            cf = ((left ? a >>> 64 - count : a >>> count - 1) & 1) != 0;
        } else if (bits == 32) {
            long both = left ? a << 32 | b : b << 32 | a;
            r = left ? both << count >>> 32 : both >>> count;
            cf = ((left ? a >>> 32 - count : a >>> count - 1) & 1) != 0;
        } else {
            long three = left ? a << 32 | b << 16 | a : a << 32 | b << 16 | a;
            r = left ? three << count >>> 32 : three >>> count;
            cf = left ? (three >>> 48 - count & 1) != 0 : (three >>> count - 1 & 1) != 0;
        }
        core.put(i, r);
        long top = 1L << bits - 1;
        flags.set(r, i.size, cf, ((r ^ a) & top) != 0, false);
    }
}
