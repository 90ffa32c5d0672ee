package org.penumbra.testkit.tlb;

import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.Pdptes;
import org.penumbra.testkit.reference.EntryBits;
import org.penumbra.testkit.reference.TableFormat;

/**
 * Where walks of a vCPU begin, and under which tag what they read may be cached.
 *
 * @param tables12 the tables of the guest hypervisor whose guest this is, by which the addresses below are translated; null without such
 * @param root gpa of the table that CR3 names
 * @param pdptes the PDPTE registers under PAE paging, which are loaded by other operations than MOV to CR3 too; else none
 * @param pse CR4.PSE: with 0 a PDE of 32-bit paging leads to a table, whatever its PS. A change drops nothing
 */
record AddressSpace(int pcid, Tables12 tables12, TableFormat format, long root, Pdptes pdptes, boolean pse) {
    /** No table: the PDPTE register is not present. */
    static final long ABSENT = -1;

    static AddressSpace of(PagingState state, Tables12 tables12, TableFormat format) {
        return new AddressSpace(state.pcid(), tables12, format, state.root(), format == TableFormat.PAE ? state.pdptes() : Pdptes.NONE,
                state.has4(ControlBits.CR4_PSE));
    }

    /** gpa of the first table in memory that a walk for {@code gva} reads, or {@link #ABSENT}. */
    long top(long gva) {
        if (format != TableFormat.PAE) {
            return root;
        }
        long register = pdptes.of(gva);
        return (register & EntryBits.P) != 0 ? format.table(register) : ABSENT;
    }
}
