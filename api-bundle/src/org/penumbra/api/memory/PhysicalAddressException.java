package org.penumbra.api.memory;

/** A physical address beyond the memory of the machine: an error of whoever built the mapping, never of the guest. */
public final class PhysicalAddressException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public PhysicalAddressException(long hpa, long bytes) {
        super(String.format("physical address 0x%x is outside the machine's memory of 0x%x bytes", hpa, bytes));
    }
}
