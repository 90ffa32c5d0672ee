package org.penumbra.cpu.execute;

import org.penumbra.cpu.decode.Insn;

/**
 * The operands of an instruction whose first is a general-purpose register, and whose second, if there is one, is a register, memory or
 * an immediate value. AH, CH, DH and BH are no such registers here.
 *
 * @param register the first operand
 * @param mask bits of the register that the first operand has
 * @param kept bits of the register that a write leaves as they are
 * @param kind of the second operand
 * @param from the second operand, if it is a register
 * @param address of the second operand, if it is in memory
 * @param size bytes of the operation
 */
record RegisterOperands(int register, long mask, long kept, int kind, int from, int fromWidth, long fromMask, long immediate, Address address,
        int size) {
    static RegisterOperands of(Insn i) {
        long mask = mask(i.aw);
        // Writes of 4 bytes clear the upper half (SDM vol. 1, "General-Purpose Registers in 64-Bit Mode").
        return new RegisterOperands(i.ar, mask, i.aw < 4 ? ~mask : 0, i.bk, i.br, i.bw, mask(i.bw), Core.truncate(i.imm, i.size), Address.of(i),
                i.size);
    }

    private static long mask(int bytes) {
        return bytes >= 8 || bytes == 0 ? -1 : (1L << (bytes << 3)) - 1;
    }

    /** The first operand. */
    long first(Core core) {
        return core.gpr[register] & mask;
    }

    /** The second operand. */
    long second(Core core) {
        return kind == Insn.GPR ? core.gpr[from] & fromMask
                : kind == Insn.IMM ? immediate : core.memory.load(address.linear(core, fromWidth, false), fromWidth, core.reading);
    }

    /** Writes the first operand. */
    void put(Core core, long value) {
        core.gpr[register] = core.gpr[register] & kept | value & mask;
    }
}
