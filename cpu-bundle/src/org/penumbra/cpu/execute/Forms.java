package org.penumbra.cpu.execute;

import org.penumbra.cpu.decode.Insn;
import org.penumbra.cpu.table.Op;

/**
 * The common forms of instructions: most of what programs execute. The rest is {@link Interpreter}'s. SDM vol. 2, by mnemonic.
 */
final class Forms {
    private Forms() {}

    /** What executes {@code i}; null if it has no common form. */
    static Form of(Insn i) {
        boolean second = i.bk == Insn.GPR || i.bk == Insn.IMM || i.bk == Insn.MEM;
        if (i.lock) {
            return null;
        }
        switch (i.op) {
            case J:
                return new Conditional(i);
            case JMP:
                return new Jump(i);
            case CALL:
                return new Call(i);
            case RET:
                return new Return(i);
            case NOP:
            case PAUSE:
                return new Nothing();
            default:
        }
        if (i.ak == Insn.MEM) {
            return i.bk == Insn.GPR || i.bk == Insn.IMM ? ofMemory(i) : null;
        }
        if (i.ak != Insn.GPR) {
            return null;
        }
        switch (i.op) {
            case INC:
            case DEC:
                return new Step(i);
            case LEA:
                return new Address(i);
            case PUSH:
                return new Push(i);
            case POP:
                return new Pop(i);
            default:
                return second ? ofTwo(i) : null;
        }
    }

    private static Form ofMemory(Insn i) {
        switch (i.op) {
            case MOV:
                return new Store(i);
            case CMP:
                return new CompareMemory(i);
            case TEST:
                return new TestMemory(i);
            default:
                return null;
        }
    }

    private static Form ofTwo(Insn i) {
        switch (i.op) {
            case MOV:
            case MOVZX:
                return new Move(i);
            case MOVSX:
                return new MoveExtended(i);
            case ADD:
                return new Add(i);
            case SUB:
                return new Subtract(i);
            case CMP:
                return new Compare(i);
            case AND:
                return new And(i);
            case OR:
                return new Or(i);
            case XOR:
                return new Xor(i);
            case TEST:
                return new Test(i);
            case CMOV:
                return new ConditionalMove(i);
            case SHL:
            case SHR:
            case SAR:
                return i.bk == Insn.IMM ? new Shift(i) : null;
            default:
                return null;
        }
    }

    private static final class Nothing extends Form {
        @Override
        void run(Core core) {
            // That is all it does.
        }
    }

    private static final class Move extends RegisterForm {
        Move(Insn i) {
            super(i);
        }

        @Override
        void run(Core core) {
            put(core, second(core));
        }
    }

    private static final class MoveExtended extends RegisterForm {
        private final int bytes;

        MoveExtended(Insn i) {
            super(i);
            bytes = i.bw;
        }

        @Override
        void run(Core core) {
            put(core, Core.extend(second(core), bytes));
        }
    }

    private static final class ConditionalMove extends RegisterForm {
        private final int condition;

        ConditionalMove(Insn i) {
            super(i);
            condition = i.condition;
        }

        @Override
        void run(Core core) {
            long moved = second(core);
            put(core, core.flags.condition(condition) ? moved : first(core));
        }
    }

    private static final class Address extends RegisterForm {
        private final Insn insn;

        Address(Insn i) {
            super(i);
            insn = i;
        }

        @Override
        void run(Core core) {
            put(core, core.offset(insn));
        }
    }

    private static final class Store extends MemoryForm {
        Store(Insn i) {
            super(i);
        }

        @Override
        void run(Core core) {
            core.memory.store(core.linear(insn, width, true), width, second(core), core.writing);
        }
    }

    private static final class CompareMemory extends MemoryForm {
        CompareMemory(Insn i) {
            super(i);
        }

        @Override
        void run(Core core) {
            long a = first(core);
            long b = second(core);
            core.flags.subtract(a, b, a - b, width);
        }
    }

    private static final class TestMemory extends MemoryForm {
        TestMemory(Insn i) {
            super(i);
        }

        @Override
        void run(Core core) {
            core.flags.logic(first(core) & second(core), width);
        }
    }

    private static final class Add extends RegisterForm {
        Add(Insn i) {
            super(i);
        }

        @Override
        void run(Core core) {
            long b = second(core);
            long a = first(core);
            put(core, a + b);
            core.flags.add(a, b, a + b, size);
        }
    }

    private static final class Subtract extends RegisterForm {
        Subtract(Insn i) {
            super(i);
        }

        @Override
        void run(Core core) {
            long b = second(core);
            long a = first(core);
            put(core, a - b);
            core.flags.subtract(a, b, a - b, size);
        }
    }

    private static final class Compare extends RegisterForm {
        Compare(Insn i) {
            super(i);
        }

        @Override
        void run(Core core) {
            long b = second(core);
            long a = first(core);
            core.flags.subtract(a, b, a - b, size);
        }
    }

    private static final class And extends RegisterForm {
        And(Insn i) {
            super(i);
        }

        @Override
        void run(Core core) {
            long r = second(core) & first(core);
            put(core, r);
            core.flags.logic(r, size);
        }
    }

    private static final class Or extends RegisterForm {
        Or(Insn i) {
            super(i);
        }

        @Override
        void run(Core core) {
            long r = second(core) | first(core);
            put(core, r);
            core.flags.logic(r, size);
        }
    }

    private static final class Xor extends RegisterForm {
        Xor(Insn i) {
            super(i);
        }

        @Override
        void run(Core core) {
            long r = second(core) ^ first(core);
            put(core, r);
            core.flags.logic(r, size);
        }
    }

    private static final class Test extends RegisterForm {
        Test(Insn i) {
            super(i);
        }

        @Override
        void run(Core core) {
            core.flags.logic(second(core) & first(core), size);
        }
    }

    private static final class Step extends RegisterForm {
        private final boolean up;

        Step(Insn i) {
            super(i);
            up = i.op == Op.INC;
        }

        @Override
        void run(Core core) {
            long r = first(core) + (up ? 1 : -1);
            put(core, r);
            core.flags.step(r, size, up);
        }
    }

    private static final class Shift extends RegisterForm {
        private final Op op;
        private final int count;

        Shift(Insn i) {
            super(i);
            op = i.op;
            count = ShiftOps.count(i.imm, i.size);
        }

        @Override
        void run(Core core) {
            put(core, ShiftOps.shift(core.flags, op, first(core), count, size));
        }
    }

    private static final class Push extends RegisterForm {
        Push(Insn i) {
            super(i);
        }

        @Override
        void run(Core core) {
            core.push(first(core), size);
        }
    }

    private static final class Pop extends RegisterForm {
        Pop(Insn i) {
            super(i);
        }

        @Override
        void run(Core core) {
            put(core, core.pop(size));
        }
    }

    private static final class Conditional extends Form {
        private final int condition;
        private final long distance;
        private final int size;

        Conditional(Insn i) {
            condition = i.condition;
            distance = i.imm;
            size = i.size;
        }

        @Override
        void run(Core core) {
            if (core.flags.condition(condition)) {
                core.jump(core.next + distance, size);
            }
        }
    }

    private static final class Jump extends Form {
        private final long distance;
        private final int size;

        Jump(Insn i) {
            distance = i.imm;
            size = i.size;
        }

        @Override
        void run(Core core) {
            core.jump(core.next + distance, size);
        }
    }

    private static final class Call extends Form {
        private final long distance;
        private final int size;

        Call(Insn i) {
            distance = i.imm;
            size = i.size;
        }

        @Override
        void run(Core core) {
            core.call(core.next + distance, size);
        }
    }

    private static final class Return extends Form {
        private final long skipped;
        private final int size;

        Return(Insn i) {
            skipped = i.imm;
            size = i.size;
        }

        @Override
        void run(Core core) {
            core.ret(skipped, size);
        }
    }
}
