package org.penumbra.vmx;

/** A call into an MMU that went wrong: the MMU is used no more, and the guest is where it was before the operation. */
final class MmuFailure extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** Keeps no reference to what a plugin threw, since that would keep its class loader. */
    MmuFailure(String message) {
        super(message);
    }
}
