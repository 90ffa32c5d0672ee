package org.penumbra.api.memory;

/** A guest-physical address that no memory slot gives. */
public final class GuestMemoryException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final long gpa;

    public GuestMemoryException(long gpa) {
        super(String.format("no memory slot holds guest-physical address 0x%x", gpa));
        this.gpa = gpa;
    }

    /** The address in question. */
    public long gpa() {
        return gpa;
    }
}
