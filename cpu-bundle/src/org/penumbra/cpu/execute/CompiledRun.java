package org.penumbra.cpu.execute;

import org.penumbra.cpu.decode.Insn;

/** The instructions of a {@link Block} as one method, which {@link RunCompiler} has made. */
abstract class CompiledRun {
    /**
     * Executes the run, which begins at {@code rip}, until its end, or until something has to be looked at between two instructions.
     * {@link Core#next} is the address of the next instruction then. While an instruction may trap, {@link Core#at} is its number in the run.
     *
     * @return how many instructions have retired
     */
    abstract int run(Core core, Interpreter interpreter, long rip);

    /**
     * Executes an instruction without a common form, number {@link Core#at} of the run, at {@code rip}: it may look at what it likes.
     *
     * @return false if it is not complete
     */
    static boolean step(Core core, Interpreter interpreter, Insn insn, long rip) {
        core.registers.rip = rip;
        core.settleRun(core.at);
        return interpreter.execute(insn, null);
    }
}
