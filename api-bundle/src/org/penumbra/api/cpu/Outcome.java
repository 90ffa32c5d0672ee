package org.penumbra.api.cpu;

/** How an operation that a guest attempted came out. Integers, because they are returned on the path of every access. */
public final class Outcome {
    /** It took effect. */
    public static final int DONE = 0;
    /** It took no effect: an exception is to be delivered to the guest ({@link Processor#exception()}). */
    public static final int FAULT = 1;
    /** It took no effect: a VM exit happened ({@link Processor#exit()}). */
    public static final int EXIT = 2;

    private Outcome() {}
}
