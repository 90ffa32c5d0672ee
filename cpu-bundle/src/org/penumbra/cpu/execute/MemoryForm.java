package org.penumbra.cpu.execute;

import org.penumbra.cpu.decode.Insn;

/** An instruction whose first operand is in memory, and whose second is a general-purpose register or an immediate value. */
abstract class MemoryForm extends Form {
    final Insn insn;
    /** Bytes of both operands. */
    final int width;
    private final int from;
    private final long immediate;

    MemoryForm(Insn i) {
        insn = i;
        width = i.aw;
        from = i.bk == Insn.GPR ? i.br : -1;
        immediate = Core.truncate(i.imm, i.size);
    }

    /** The first operand, which is not to be written. */
    final long first(Core core) {
        return core.memory.load(core.linear(insn, width, false), width, core.reading);
    }

    /** The second operand. */
    final long second(Core core) {
        return from < 0 ? immediate : Core.truncate(core.gpr[from], width);
    }
}
