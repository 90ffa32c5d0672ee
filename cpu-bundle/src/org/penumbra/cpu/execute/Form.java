package org.penumbra.cpu.execute;

/**
 * An instruction of a common form, with all that its encoding says looked up beforehand: what it does is one call, and no question of
 * which instruction, operands and width these are. {@link Forms} makes them.
 */
interface Form {
    /** Executes the instruction, as {@link Interpreter#execute} says; it is complete afterwards. */
    void run(Core core);
}
