package org.penumbra.api.memory;

/** An access that a {@link FrameLease} refuses: outside its frames, after revocation, or with host memory exhausted. */
public final class LeaseException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final boolean exhausted;

    public LeaseException(String message) {
        this(message, false);
    }

    private LeaseException(String message, boolean exhausted) {
        super(message);
        this.exhausted = exhausted;
    }

    /** Host memory has no frame left: nobody's mistake. */
    public static LeaseException exhausted(String message) {
        return new LeaseException(message, true);
    }

    /** True if host memory had no frame left; false if somebody used a lease wrongly. */
    public boolean isExhausted() {
        return exhausted;
    }
}
