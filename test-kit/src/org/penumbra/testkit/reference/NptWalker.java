package org.penumbra.testkit.reference;

import static org.penumbra.api.paging.ControlBits.*;

import java.util.function.LongUnaryOperator;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.NestedPageFault;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.Pdptes;

/**
 * The nested walk of APM vol. 2, "Nested Paging": the host's own page-table format, in the mode that its CR4 and EFER selected at
 * VMRUN, below nCR3. Every access counts as one of user mode, so U/S must be 1 at every level and CR0.WP, SMEP and SMAP have no
 * say; nor have protection keys. The PDPTEs of a host in PAE mode are read in the walk. Immutable; any thread.
 */
public final class NptWalker {
    private final ReferenceWalker walker;
    private final PagingState tables;

    /**
     * A walker of the tables at {@code nCr3}.
     *
     * @param maxPhyAddr entry bits from here up are reserved
     * @param hostCr4 PSE, PAE and LA57 count
     * @param hostEfer LMA and NXE count
     */
    public NptWalker(int maxPhyAddr, long nCr3, long hostCr4, long hostEfer) {
        walker = new ReferenceWalker(maxPhyAddr);
        // no key of an all-zero PKRU refuses anything
        tables = new PagingState(CR0_PE | CR0_PG, nCr3, hostCr4, hostEfer, 0, 0).withPdptes(Pdptes.IN_MEMORY);
    }

    /**
     * Translates {@code gpa}, an address that the host's mode can hold.
     *
     * @param operation READ, WRITE or FETCH of {@link Access}; of an access to a guest paging-structure entry WRITE
     * @param memory the 8 bytes at an hpa that is a multiple of 8
     * @param walk filled: {@code walk.gpa} is the hpa
     * @return {@link AccessRights#ALLOWED}, or bits 4:0 of EXITINFO1 ("Nested versus Guest Page Faults, Fault Ordering")
     */
    public int walk(long gpa, int operation, LongUnaryOperator memory, Walk walk) {
        int outcome = walker.walk(tables, gpa, operation | Access.USER, memory, walk);
        boolean faulted = outcome != AccessRights.ALLOWED;
        // EXITINFO1 tells of a fetch whether or not the host has no-execute pages
        return walk.outcome = faulted && Access.isFetch(operation) ? outcome | (int) NestedPageFault.FETCH : outcome;
    }
}
