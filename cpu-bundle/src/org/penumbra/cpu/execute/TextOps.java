package org.penumbra.cpu.execute;

import org.penumbra.cpu.decode.Insn;
import org.penumbra.cpu.table.Op;

/**
 * PCMPESTRI and its kin, and the tests that leave flags alone: PTEST, VTESTPS, VTESTPD, extraction. SDM vol. 2, "Imm8 Control Byte Operation for
 * PCMPESTRI / PCMPESTRM / PCMPISTRI / PCMPISTRM".
 *
 * <pre>
 *  imm8   0 words (else bytes)   1 signed   3:2 equal any, ranges, equal each, equal ordered   5:4 polarity   6 most significant, or a mask of elements
 * </pre>
 */
final class TextOps {
    private final VectorUnit unit;
    private final Core core;
    private final long[] h;
    private final long[] b;

    TextOps(VectorUnit unit) {
        this.unit = unit;
        this.core = unit.core;
        this.h = unit.h;
        this.b = unit.b;
    }

    void execute(Insn i) {
        switch (i.op) {
            case PTEST:
            case VTEST:
                test(i);
                break;
            case PEXTR:
                int lane = i.lane == 0 ? i.aw : i.lane;
                core.put(i, VectorUnit.get(b, 0, (int) i.imm & Math.min(i.words, 2) * 8 / lane - 1, lane));
                break;
            default:
                strings(i);
        }
    }

    private void test(Insn i) {
        long signs = i.op == Op.PTEST ? -1 : i.lane == 4 ? 0x8000_0000_8000_0000L : Long.MIN_VALUE;
        long both = 0;
        long missed = 0;
        for (int k = 0; k < i.words; k++) {
            both |= h[k] & b[k] & signs;
            missed |= ~h[k] & b[k] & signs;
        }
        core.flags.write((both == 0 ? Flags.ZF : 0) | (missed == 0 ? Flags.CF : 0), Flags.STATUS);
    }

    private void strings(Insn i) {
        int imm = (int) i.imm;
        int lane = (imm & 1) + 1;
        int count = 16 / lane;
        boolean explicit = i.entry.has("explicit");
        int first = explicit ? length(0, i, count) : end(h, lane, count);
        int second = explicit ? length(2, i, count) : end(b, lane, count);
        int found = 0;
        for (int k = 0; k < count; k++) {
            found |= aggregate(imm, k, first, second, count) ? 1 << k : 0;
        }
        int all = (1 << count) - 1;
        if ((imm & 0x10) != 0) {
            found ^= (imm & 0x20) == 0 ? all : (1 << second) - 1;
        }
        if (i.entry.has("mask")) {
            unit.r[0] = found;
            unit.r[1] = 0;
            if ((imm & 0x40) != 0) {
                for (int k = 0; k < count; k++) {
                    VectorUnit.set(unit.r, 0, k, lane, (found >>> k & 1) != 0 ? -1 : 0);
                }
            }
            unit.resultInXmm0(i);
        } else {
            core.write(1, 4, found == 0 ? count : (imm & 0x40) != 0 ? 31 - Integer.numberOfLeadingZeros(found) : Integer.numberOfTrailingZeros(found));
        }
        int flags = (found != 0 ? Flags.CF : 0) | (second < count ? Flags.ZF : 0) | (first < count ? Flags.SF : 0) | ((found & 1) != 0 ? Flags.OF : 0);
        core.flags.write(flags, Flags.STATUS);
    }

    /** EAX or EDX, or RAX or RDX with REX.W, as a length: its magnitude, at most {@code count}. */
    private int length(int register, Insn i, int count) {
        long value = i.size == 8 ? core.gpr[register] : (int) core.gpr[register];
        return value < -count || value > count ? count : (int) Math.abs(value);
    }

    private static int end(long[] words, int lane, int count) {
        int k = 0;
        while (k < count && VectorUnit.get(words, 0, k, lane) != 0) {
            k++;
        }
        return k;
    }

    private static long value(long[] words, int k, int imm) {
        int lane = (imm & 1) + 1;
        long e = VectorUnit.get(words, 0, k, lane);
        return (imm & 2) != 0 ? Core.extend(e, lane) : e;
    }

    /** One bit of the intermediate result, for element {@code k} of the second operand. What lies behind an end compares as the SDM's table says. */
    private boolean aggregate(int imm, int k, int first, int second, int count) {
        boolean found = false;
        switch (imm >> 2 & 3) {
            case 0:
                for (int n = 0; n < first && k < second; n++) {
                    found |= value(h, n, imm) == value(b, k, imm);
                }
                return found;
            case 1:
                for (int n = 0; n + 1 < first && k < second; n += 2) {
                    long e = value(b, k, imm);
                    found |= e >= value(h, n, imm) && e <= value(h, n + 1, imm);
                }
                return found;
            case 2:
                return k < first && k < second ? value(h, k, imm) == value(b, k, imm) : k >= first && k >= second;
            default:
                for (int n = 0; n < first && k + n < count; n++) {
                    if (k + n >= second || value(h, n, imm) != value(b, k + n, imm)) {
                        return false;
                    }
                }
                return true;
        }
    }
}
