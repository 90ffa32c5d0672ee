package org.penumbra.cpu.execute;

import org.penumbra.cpu.decode.Insn;

/** The operands of an instruction whose first is in memory, and whose second is a general-purpose register or an immediate value. */
final class MemoryOperands {
    private final Insn insn;
    /** Bytes of both operands. */
    final int width;
    private final int from;
    private final long immediate;

    MemoryOperands(Insn i) {
        insn = i;
        width = i.aw;
        from = i.bk == Insn.GPR ? i.br : -1;
        immediate = Core.truncate(i.imm, i.size);
    }

    /** The first operand, which is not to be written. */
    long first(Core core) {
        return core.memory.load(core.linear(insn, width, false), width, core.reading);
    }

    /** The second operand. */
    long second(Core core) {
        return from < 0 ? immediate : Core.truncate(core.gpr[from], width);
    }

    /** Writes the second operand to the first. */
    void store(Core core) {
        core.memory.store(core.linear(insn, width, true), width, second(core), core.writing);
    }
}
