package org.penumbra.api.mmu;

/** A paging state that an MMU design cannot run. */
public final class UnsupportedPagingException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** @param message what the guest asked for, and what the design can do */
    public UnsupportedPagingException(String message) {
        super(message);
    }
}
