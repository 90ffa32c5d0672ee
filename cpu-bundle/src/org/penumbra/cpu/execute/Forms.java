package org.penumbra.cpu.execute;

import java.util.EnumSet;
import java.util.Set;
import org.penumbra.cpu.decode.Insn;
import org.penumbra.cpu.table.Op;

/**
 * The common forms of instructions: most of what programs execute. The rest is {@link Interpreter}'s. SDM vol. 2, by mnemonic.
 *
 * <p>A second operand in memory is read first, so that a fault there finds nothing changed.
 */
final class Forms {
    private static final Set<Op> SILENT = EnumSet.of(Op.MOV, Op.MOVZX, Op.MOVSX, Op.CMOV, Op.ADD, Op.SUB, Op.CMP, Op.AND, Op.OR, Op.XOR, Op.TEST, Op.SHL,
            Op.SHR, Op.SAR, Op.INC, Op.DEC);

    private Forms() {}

    /** What executes {@code i}; null if it has no common form. */
    static Form of(Insn i) {
        if (i.lock) {
            return null;
        }
        boolean plain = i.bk == Insn.GPR || i.bk == Insn.IMM;
        switch (i.ak) {
            case Insn.MEM:
                return plain ? toMemory(i, MemoryOperands.of(i)) : branch(i);
            case Insn.GPR:
                RegisterOperands o = RegisterOperands.of(i);
                Form one = toRegister(i, o);
                return one != null || !plain && i.bk != Insn.MEM ? one : ofTwo(i, o);
            default:
                return branch(i);
        }
    }

    /**
     * True if {@code i} has a common form that reads and writes registers and flags only: it cannot trap, changes nothing that has to be looked at
     * before the next instruction, and does not ask where it stands, but for an operand relative to RIP.
     */
    static boolean silent(Insn i) {
        return !i.lock && (i.op == Op.NOP || i.op == Op.PAUSE || i.ak == Insn.GPR
                && (i.op == Op.LEA || SILENT.contains(i.op) && (i.bk == Insn.GPR || i.bk == Insn.IMM || i.bk == Insn.NONE)));
    }

    private static Form branch(Insn i) {
        int size = i.size;
        long distance = i.imm;
        switch (i.op) {
            case J:
                int condition = i.condition;
                return core -> {
                    if (core.flags.condition(condition)) {
                        core.jump(core.next + distance, size);
                    }
                };
            case JMP:
                return core -> core.jump(core.next + distance, size);
            case CALL:
                return core -> core.call(core.next + distance, size);
            case RET:
                return core -> core.ret(distance, size);
            case NOP:
            case PAUSE:
                return core -> { };
            default:
                return null;
        }
    }

    private static Form toMemory(Insn i, MemoryOperands o) {
        switch (i.op) {
            case MOV:
                return o::store;
            case CMP:
                return core -> {
                    long a = o.first(core);
                    long b = o.second(core);
                    core.flags.subtract(a, b, a - b, o.width());
                };
            case TEST:
                return core -> core.flags.logic(o.first(core) & o.second(core), o.width());
            default:
                return branch(i);
        }
    }

    private static Form toRegister(Insn i, RegisterOperands o) {
        switch (i.op) {
            case INC:
            case DEC:
                boolean up = i.op == Op.INC;
                return core -> {
                    long r = o.first(core) + (up ? 1 : -1);
                    o.put(core, r);
                    core.flags.step(r, o.size(), up);
                };
            case LEA:
                return core -> o.put(core, o.address().offset(core));
            case PUSH:
                return core -> core.push(o.first(core), o.size());
            case POP:
                return core -> o.put(core, core.pop(o.size()));
            default:
                return branch(i);
        }
    }

    private static Form ofTwo(Insn i, RegisterOperands o) {
        switch (i.op) {
            case MOV:
            case MOVZX:
                return core -> o.put(core, o.second(core));
            case MOVSX:
                int from = i.bw;
                return core -> o.put(core, Core.extend(o.second(core), from));
            case CMOV:
                int condition = i.condition;
                return core -> {
                    long moved = o.second(core);
                    o.put(core, core.flags.condition(condition) ? moved : o.first(core));
                };
            case ADD:
                return core -> {
                    long b = o.second(core);
                    long a = o.first(core);
                    o.put(core, a + b);
                    core.flags.add(a, b, a + b, o.size());
                };
            case SUB:
                return core -> {
                    long b = o.second(core);
                    long a = o.first(core);
                    o.put(core, a - b);
                    core.flags.subtract(a, b, a - b, o.size());
                };
            case CMP:
                return core -> {
                    long b = o.second(core);
                    long a = o.first(core);
                    core.flags.subtract(a, b, a - b, o.size());
                };
            case AND:
                return core -> logic(core, o, o.second(core) & o.first(core));
            case OR:
                return core -> logic(core, o, o.second(core) | o.first(core));
            case XOR:
                return core -> logic(core, o, o.second(core) ^ o.first(core));
            case TEST:
                return core -> core.flags.logic(o.second(core) & o.first(core), o.size());
            case SHL:
            case SHR:
            case SAR:
                int count = ShiftOps.count(i.imm, i.size);
                Op shift = i.op;
                return i.bk != Insn.IMM ? null : core -> o.put(core, ShiftOps.shift(core.flags, shift, o.first(core), count, o.size()));
            default:
                return null;
        }
    }

    private static void logic(Core core, RegisterOperands o, long result) {
        o.put(core, result);
        core.flags.logic(result, o.size());
    }
}
