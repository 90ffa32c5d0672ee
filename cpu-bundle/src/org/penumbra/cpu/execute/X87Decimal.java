package org.penumbra.cpu.execute;

import org.penumbra.cpu.decode.Insn;
import org.penumbra.cpu.table.Op;

/** FBLD and FBSTP: integers of 18 decimal digits, two in a byte, with the sign in the top bit of ten bytes (SDM vol. 1, "BCD and Packed BCD Integers"). */
final class X87Decimal {
    private static final long LIMIT = 1_000_000_000_000_000_000L;
    private static final int DIGITS = 18;
    private static final long INDEFINITE = 0xc000_0000_0000_0000L;
    private static final int INDEFINITE_TOP = 0xffff;

    private final Core core;
    private final X87Unit unit;
    private final Real a = new Real();

    X87Decimal(X87Unit unit) {
        this.core = unit.core;
        this.unit = unit;
    }

    void execute(Insn i) {
        long at = core.linear(i, 10, i.op == Op.FBSTP);
        if (i.op == Op.FBLD) {
            load(core.memory.load(at, 8, core.reading), core.memory.load(at + 8, 2, core.reading));
        } else {
            store(at);
        }
    }

    private void load(long digits, long top) {
        long value = (top >>> 4 & 15) * 10 + (top & 15);
        for (int n = 15; n >= 0; n--) {
            value = value * 10 + (digits >>> 4 * n & 15);
        }
        a.integer(value);
        a.negative = (top & 0x8000) != 0;
        unit.conditions(X87Unit.C1, 0);
        unit.push(a);
    }

    private void store(long at) {
        boolean masked = (unit.soft.unmasked & SoftFloat.IE) == 0;
        if (unit.empty(0)) {
            if (masked) {
                put(at, INDEFINITE, INDEFINITE_TOP);
            }
            unit.underflow();
            unit.pop(masked ? 1 : 0);
            return;
        }
        unit.get(0, a);
        int before = unit.soft.raised;
        long value = unit.soft.integer(a, 8);
        if (value >= LIMIT || value <= -LIMIT) {
            unit.soft.raised = before | SoftFloat.IE;
        }
        boolean invalid = (unit.soft.raised & SoftFloat.IE) != 0;
        if (invalid && !masked) {
            unit.settle();
            return;
        }
        long magnitude = Math.abs(value);
        long digits = 0;
        long top = 0;
        for (int n = 0; n < DIGITS; n++) {
            long digit = magnitude % 10;
            magnitude /= 10;
            digits |= n < 16 ? digit << 4 * n : 0;
            top |= n < 16 ? 0 : digit << 4 * (n - 16);
        }
        put(at, invalid ? INDEFINITE : digits, invalid ? INDEFINITE_TOP : (int) top | (a.negative ? 0x8000 : 0));
        unit.settle();
        unit.pop(1);
    }

    private void put(long at, long digits, int top) {
        core.memory.writable(at, 10, core.writing);
        core.memory.store(at, 8, digits, core.writing);
        core.memory.store(at + 8, 2, top, core.writing);
    }
}
