package org.penumbra.cpu.execute;

import org.penumbra.cpu.decode.Insn;

/** Executes single instructions: each part of the instruction set is a class of its own, on the same {@link Core}. */
final class Interpreter {
    private final Core core;
    private final AluOps alu;
    private final ShiftOps shift;
    private final BitOps bits;
    private final MiscOps misc;
    private final StringOps strings;
    private final SystemOps system;
    private final VectorOps vectors;
    private final StateOps state;
    private final X87Ops x87;
    private final X87Control x87Control;

    Interpreter(Core core, Events events, SegmentLoader loader, int vcpu) {
        this.core = core;
        alu = new AluOps(core);
        shift = new ShiftOps(core);
        bits = new BitOps(core);
        misc = new MiscOps(core);
        strings = new StringOps(core);
        VectorUnit unit = new VectorUnit(core);
        vectors = new VectorOps(core, unit);
        X87Unit stack = new X87Unit(core);
        x87 = new X87Ops(stack);
        x87Control = new X87Control(stack);
        state = new StateOps(core, unit);
        system = new SystemOps(core, loader, events, vcpu);
    }

    /**
     * Executes {@code i}, whose form is {@code form}, null if it has no common one; {@link Core#next} is the address behind it, and that of the next instruction afterwards.
     *
     * @return false if it is not complete: a repeated string instruction after some elements
     */
    boolean execute(Insn i, Form form) {
        if (form != null) {
            form.run(core);
            return true;
        }
        switch (i.op.group) {
            case ALU:
                alu.execute(i);
                return true;
            case SHIFT:
                shift.execute(i);
                return true;
            case BITS:
                bits.execute(i);
                return true;
            case MISC:
                misc.execute(i);
                return true;
            case STRING:
                return strings.execute(i);
            case SYSTEM:
                system.execute(i);
                return true;
            default:
                extended(i);
                return true;
        }
    }

    /** Apart, so that what most code consists of stays small enough to be compiled together with its caller. */
    private void extended(Insn i) {
        switch (i.op.group) {
            case STATE:
                state.execute(i);
                break;
            case X87:
                x87.execute(i);
                break;
            case X87_STATE:
                x87Control.execute(i);
                break;
            default:
                vectors.execute(i);
        }
    }
}
