package org.penumbra.api.paging;

/**
 * The error code of a nested page fault, in EXITINFO1 of the VMCB (APM vol. 2, "Nested versus Guest Page Faults, Fault Ordering").
 * Bits 4:0 are those of a page fault, by the nested tables, of an access that is always a user-mode one.
 *
 * <pre>
 *  bit 0   P     0: not present; 1: rights violation or reserved bit
 *  bit 1   R/W   the access was a write; every access to an entry of the guest's tables counts as one
 *  bit 2   U/S   always 1
 *  bit 3   RSV   a reserved bit was set in a nested entry
 *  bit 4   I/D   the access was an instruction fetch
 *  bit 32        it occurred while the final guest-physical address was translated
 *  bit 33        it occurred while the guest's tables were walked
 * </pre>
 */
public final class NestedPageFault {
    public static final long PRESENT = 1;
    public static final long WRITE = 1L << 1;
    public static final long USER = 1L << 2;
    public static final long RESERVED = 1L << 3;
    public static final long FETCH = 1L << 4;
    public static final long FINAL_ADDRESS = 1L << 32;
    public static final long TABLE_WALK = 1L << 33;

    private NestedPageFault() {}
}
