package org.penumbra.cpu.execute;

import static org.penumbra.cpu.execute.Core.extend;
import static org.penumbra.cpu.execute.Core.truncate;

import org.penumbra.cpu.decode.Insn;
import org.penumbra.cpu.table.Op;

/** Arithmetic, moves, branches, the stack, where {@link Forms} has no form for the operands. SDM vol. 2, by mnemonic. */
final class AluOps {
    private final Core core;
    private final Flags flags;

    AluOps(Core core) {
        this.core = core;
        this.flags = core.flags;
    }

    void execute(Insn i) {
        switch (i.op) {
            case MOV:
                core.put(i, core.b(i));
                break;
            case ADD:
                add(i, 0);
                break;
            case ADC:
                add(i, flags.cf() ? 1 : 0);
                break;
            case SUB:
                subtract(i, 0);
                break;
            case SBB:
                subtract(i, flags.cf() ? 1 : 0);
                break;
            case AND:
                logic(i, core.old(i) & core.b(i));
                break;
            case OR:
                logic(i, core.old(i) | core.b(i));
                break;
            case XOR:
                logic(i, core.old(i) ^ core.b(i));
                break;
            case CMP:
                long left = core.a(i);
                long right = core.b(i);
                flags.subtract(left, right, left - right, i.size);
                break;
            case TEST:
                flags.logic(core.a(i) & core.b(i), i.size);
                break;
            case PUSH:
                core.push(i.ak == Insn.IMM ? i.imm : core.a(i), i.size);
                break;
            case POP:
                pop(i);
                break;
            case INC:
            case DEC:
                step(i);
                break;
            case MOVZX:
                core.put(i, core.b(i));
                break;
            case MOVSX:
                core.put(i, extend(core.b(i), i.bw));
                break;
            case NOT:
                core.put(i, ~core.old(i));
                break;
            case NEG:
                long negated = core.old(i);
                core.put(i, -negated);
                flags.subtract(0, negated, -negated, i.size);
                break;
            default:
                rest(i);
        }
    }

    private void rest(Insn i) {
        switch (i.op) {
            case CMOV:
                long moved = core.b(i);
                core.put(i, flags.condition(i.condition) ? moved : core.a(i));
                break;
            case SET:
                core.put(i, flags.condition(i.condition) ? 1 : 0);
                break;
            case JMP_IND:
                core.jump(core.a(i), i.size);
                break;
            case CALL_IND:
                core.call(core.a(i), i.size);
                break;
            case XCHG:
                long old = core.old(i);
                core.put(i, core.b(i));
                core.putB(i, old);
                break;
            case LEAVE:
                leave(i);
                break;
            case CBW:
                core.write(0, i.size, extend(core.gpr[0], i.size >> 1));
                break;
            case CWD:
                core.write(2, i.size, extend(core.gpr[0], i.size) >> 63);
                break;
            case IMUL:
                multiply(i, core.a(i), core.b(i));
                break;
            case IMUL3:
                multiply(i, core.b(i), core.c(i));
                break;
            default:
                throw new IllegalStateException("no " + i.op + " here");
        }
    }

    private void add(Insn i, long carry) {
        long a = core.old(i);
        long b = core.b(i);
        long sum = a + b + carry;
        core.put(i, sum);
        flags.add(a, b, sum, i.size);
    }

    private void subtract(Insn i, long borrow) {
        long a = core.old(i);
        long b = core.b(i);
        long difference = a - b - borrow;
        core.put(i, difference);
        flags.subtract(a, b, difference, i.size);
    }

    private void logic(Insn i, long result) {
        core.put(i, result);
        flags.logic(result, i.size);
    }

    /** CF stays as it is. */
    private void step(Insn i) {
        boolean up = i.op == Op.INC;
        long r = core.old(i) + (up ? 1 : -1);
        core.put(i, r);
        flags.step(r, i.size, up);
    }

    /** POP increments the stack pointer before it is used for the address of its operand. */
    private void pop(Insn i) {
        long before = core.gpr[4];
        long value = core.pop(i.size);
        if (i.ak == Insn.GPR) {
            core.write(i.ar, i.size, value);
            return;
        }
        boolean done = false;
        try {
            core.put(i, value);
            done = true;
        } finally {
            if (!done) {
                core.gpr[4] = before;
            }
        }
    }

    private void leave(Insn i) {
        long before = core.gpr[4];
        boolean done = false;
        try {
            core.write(4, core.stackBytes(), core.gpr[5]);
            core.write(5, i.size, core.pop(i.size));
            done = true;
        } finally {
            if (!done) {
                core.gpr[4] = before;
            }
        }
    }

    private void multiply(Insn i, long x, long y) {
        long a = extend(x, i.size);
        long b = extend(y, i.size);
        long r = a * b;
        boolean lost = i.size == 8 ? Math.multiplyHigh(a, b) != r >> 63 : extend(r, i.size) != r;
        core.put(i, r);
        flags.set(r, i.size, lost, lost, false);
    }
}
