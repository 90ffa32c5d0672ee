package org.penumbra.ept;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.function.LongUnaryOperator;
import org.penumbra.api.mmu.MmuFactory;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.NestedPageFault;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.testkit.reference.AccessRights;
import org.penumbra.testkit.reference.NptWalker;
import org.penumbra.testkit.reference.Walk;

/** The same with nested tables under NPT (APM vol. 2, "Nested Paging"): NPT12, NPT02. An entry of a table is P, W and U. */
abstract class NestedNptFixture extends NestedFixture {
    static final long P = 1;
    static final long W = 1 << 1;
    static final long U = 1 << 2;
    static final long A = 1 << 5;
    static final long D = 1 << 6;
    static final long NX = 1L << 63;
    static final long LEAF = P | W | U;
    static final int MAXPHYADDR = 46;

    final Walk steps = new Walk();

    @Override
    MmuFactory factory() {
        return new NptMmuFactory();
    }

    /** L1 with empty tables of {@code levels}, its EFER.NXE as {@code noExecute}. */
    @Override
    void start(int levels, boolean noExecute) {
        begin(levels);
        enter(new TranslationRoot.Nested(ept12.root(), levels, noExecute));
    }

    /** Bits 4:0 of EXITINFO1 for {@code access} to {@code gpa} by {@code tables} in {@code memory}, or ALLOWED. */
    int specified(TranslationRoot tables, long gpa, int access, LongUnaryOperator memory) {
        TranslationRoot.Nested npt = (TranslationRoot.Nested) tables;
        long cr4 = ControlBits.CR4_PAE | (npt.levels() == 5 ? ControlBits.CR4_LA57 : 0);
        long efer = ControlBits.EFER_LMA | ControlBits.EFER_LME | (npt.noExecute() ? ControlBits.EFER_NXE : 0);
        return new NptWalker(MAXPHYADDR, npt.nCr3(), cr4, efer).walk(gpa, operation(access), memory, steps);
    }

    private static int operation(int access) {
        return access == WRITE ? Access.WRITE : access == FETCH ? Access.FETCH : Access.READ;
    }

    @Override
    boolean reach(TranslationRoot root, long gpa, int access) {
        int code = specified(root, gpa, access, host.memory()::load64);
        walk.hpa = steps.gpa;
        walk.level = steps.level;
        told = code | NestedPageFault.FINAL_ADDRESS;
        assertThat(code == AccessRights.ALLOWED || (code & NestedPageFault.RESERVED) == 0).as("what L0 has made is well-formed").isTrue();
        return code == AccessRights.ALLOWED;
    }
}
