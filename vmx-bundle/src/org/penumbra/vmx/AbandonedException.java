package org.penumbra.vmx;

/** Ends a thread that came back from a stuck call when its work had been given to another. */
final class AbandonedException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    AbandonedException() {
        super("this thread was stuck in an MMU, and another does its work now");
    }
}
