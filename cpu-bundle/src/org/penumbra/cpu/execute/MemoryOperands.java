package org.penumbra.cpu.execute;

import org.penumbra.cpu.decode.Insn;

/**
 * The operands of an instruction whose first is in memory, and whose second is a general-purpose register or an immediate value.
 *
 * @param width bytes of both operands
 * @param from the register; -1 for an immediate value
 */
record MemoryOperands(Address address, int width, int from, long immediate) {
    static MemoryOperands of(Insn i) {
        return new MemoryOperands(Address.of(i), i.aw, i.bk == Insn.GPR ? i.br : -1, Core.truncate(i.imm, i.size));
    }

    /** The first operand, which is not to be written. */
    long first(Core core) {
        return core.memory.load(address.linear(core, width, false), width, core.reading);
    }

    /** The second operand. */
    long second(Core core) {
        return from < 0 ? immediate : Core.truncate(core.gpr[from], width);
    }

    /** Writes the second operand to the first. */
    void store(Core core) {
        core.memory.store(address.linear(core, width, true), width, second(core), core.writing);
    }
}
