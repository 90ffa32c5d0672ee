package org.penumbra.api.cpu;

/** The functions of a read-modify-write operation, as integers. */
public final class UpdateFunction {
    public static final int AND = 0;
    public static final int OR = 1;
    public static final int XOR = 2;
    public static final int ADD = 3;
    public static final int EXCHANGE = 4;

    private UpdateFunction() {}

    /** The new memory value: {@code function} of the {@code old} value and {@code operand}. */
    public static long apply(int function, long old, long operand) {
        switch (function) {
            case AND:
                return old & operand;
            case OR:
                return old | operand;
            case XOR:
                return old ^ operand;
            case ADD:
                return old + operand;
            case EXCHANGE:
                return operand;
            default:
                throw new IllegalArgumentException("no update function " + function);
        }
    }
}
