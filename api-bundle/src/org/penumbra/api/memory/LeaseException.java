package org.penumbra.api.memory;

/** An access that a {@link FrameLease} refuses: outside its frames, after revocation, or with host memory exhausted. */
public final class LeaseException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public LeaseException(String message) {
        super(message);
    }
}
