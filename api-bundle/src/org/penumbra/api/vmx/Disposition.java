package org.penumbra.api.vmx;

/**
 * What becomes of the vCPU after an exit was handled: the three outcomes of KVM's exit handlers (1, 0, negative).
 *
 * @param code 1 resume the guest; 0 leave to user space; negative: an error number, and the run ends
 * @param reason why the guest was left; empty for resume
 */
public record Disposition(int code, String reason) {
    /** Enter the guest again. */
    public static final Disposition RESUME = new Disposition(1, "");

    /** Leave to user space because of {@code reason}. */
    public static Disposition toUserSpace(String reason) {
        return new Disposition(0, reason);
    }

    /**
     * End the run with an error.
     *
     * @param errno positive error number, as errno.h has it
     * @param reason one line: what happened, where
     */
    public static Disposition error(int errno, String reason) {
        if (errno <= 0) {
            throw new IllegalArgumentException("an error disposition needs a positive errno, not " + errno);
        }
        return new Disposition(-errno, reason);
    }
}
