package org.penumbra.experiments.run;

/** A request that cannot be carried out as it stands. The message is one line for its author: what, where, what would be right. */
public final class RefusedException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public RefusedException(String message) {
        super(message);
    }

    public RefusedException(String message, Throwable cause) {
        super(message, cause);
    }
}
