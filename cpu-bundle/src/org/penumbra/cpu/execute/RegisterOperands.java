package org.penumbra.cpu.execute;

import org.penumbra.cpu.decode.Insn;

/**
 * The operands of an instruction whose first is a general-purpose register, and whose second, if there is one, is a register, memory or
 * an immediate value. AH, CH, DH and BH are no such registers here.
 */
final class RegisterOperands {
    private final Insn insn;
    private final int register;
    /** Bits of the register that the operand has, and those that a write leaves as they are. */
    private final long mask;
    private final long kept;
    private final int kind;
    private final int from;
    private final int fromWidth;
    private final long fromMask;
    private final long immediate;
    /** Bytes of the operation. */
    final int size;

    RegisterOperands(Insn i) {
        insn = i;
        register = i.ar;
        size = i.size;
        mask = mask(i.aw);
        // Writes of 4 bytes clear the upper half (SDM vol. 1, "General-Purpose Registers in 64-Bit Mode").
        kept = i.aw < 4 ? ~mask : 0;
        kind = i.bk;
        from = i.br;
        fromWidth = i.bw;
        fromMask = mask(i.bw);
        immediate = Core.truncate(i.imm, i.size);
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
                : kind == Insn.IMM ? immediate : core.memory.load(core.linear(insn, fromWidth, false), fromWidth, core.reading);
    }

    /** Writes the first operand. */
    void put(Core core, long value) {
        core.gpr[register] = core.gpr[register] & kept | value & mask;
    }
}
