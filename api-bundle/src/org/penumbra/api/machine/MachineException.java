package org.penumbra.api.machine;

/** A run that cannot go on. The message is one line for a user: what, where, what would be right. */
public final class MachineException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public MachineException(String message) {
        super(message);
    }

    public MachineException(String message, Throwable cause) {
        super(message, cause);
    }
}
