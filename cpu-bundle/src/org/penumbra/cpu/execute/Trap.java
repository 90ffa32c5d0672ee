package org.penumbra.cpu.execute;

/**
 * Leaves an instruction that has no effect: an exception of the guest, a VM exit, or a hook that refused. Thrown without stack trace, as a jump; what
 * happened is in {@link Core}.
 */
final class Trap extends RuntimeException {
    /** An exception is to be delivered: {@link Core#vector} and {@link Core#errorCode}. */
    static final Trap FAULT = new Trap();
    /** The processor has left the guest. */
    static final Trap EXIT = new Trap();
    /** A hook of the hypervisor's emulation refused. */
    static final Trap REFUSED = new Trap();

    private static final long serialVersionUID = 1;

    private Trap() {
        super(null, null, false, false);
    }
}
