package org.penumbra.testkit.tlb;

import static org.penumbra.testkit.reference.EntryBits.*;

import java.util.function.LongUnaryOperator;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.EptViolation;
import org.penumbra.api.paging.NestedPageFault;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.testkit.reference.NptWalker;
import org.penumbra.testkit.reference.TableFormat;
import org.penumbra.testkit.reference.Walk;

/**
 * NPT12 of a hypervisor in long mode: APM vol. 2, "Nested Paging". Page tables, walked by accesses that are all user-mode ones, so U/S must be 1 at
 * every level; what CR0.WP says counts for nothing; accessed and dirty flags are always kept; bit 63 is reserved unless the hypervisor has
 * EFER.NXE. A refusal is reported by EXITINFO1.
 */
final class Npt12Tables extends Tables12 {
    private static final int CAUSE = (int) (NestedPageFault.PRESENT | NestedPageFault.RESERVED);

    private final TableFormat format;
    private final int maxPhyAddr;
    private final boolean noExecute;
    private final NptWalker walker;
    private final Walk walk = new Walk();

    Npt12Tables(TranslationRoot.Nested root, int maxPhyAddr) {
        super(root.nCr3() & 0x000f_ffff_ffff_f000L, root.levels(), EntryKind.NPT, true, A, D);
        this.format = root.levels() == 5 ? TableFormat.FIVE_LEVEL : TableFormat.FOUR_LEVEL;
        this.maxPhyAddr = maxPhyAddr;
        this.noExecute = root.noExecute();
        walker = new NptWalker(maxPhyAddr, top, ControlBits.CR4_PAE | (root.levels() == 5 ? ControlBits.CR4_LA57 : 0),
                ControlBits.EFER_LMA | (noExecute ? ControlBits.EFER_NXE : 0));
    }

    @Override
    boolean sharesWith(Tables12 other) {
        return other instanceof Npt12Tables;
    }

    @Override
    boolean isLeaf(long entry, int level) {
        return format.isLeaf(entry, level, true);
    }

    @Override
    boolean malformed(long entry, int level) {
        return (entry & format.reserved(level, isLeaf(entry, level), maxPhyAddr, noExecute)) != 0;
    }

    @Override
    int rights(long entry) {
        if ((entry & US) == 0) {
            return 0;
        }
        return EptViolation.READ | ((entry & RW) != 0 ? EptViolation.WRITE : 0) | ((entry & XD) == 0 ? EptViolation.FETCH : 0);
    }

    /** "Nested versus Guest Page Faults, Fault Ordering": each access to an entry of the guest's tables is a write. */
    @Override
    int access(long code) {
        return (code & NestedPageFault.WRITE) != 0 ? EptViolation.WRITE : (code & NestedPageFault.FETCH) != 0 ? EptViolation.FETCH : EptViolation.READ;
    }

    @Override
    int refusal(long code) {
        return (code & NestedPageFault.USER) == 0 ? IMPOSSIBLE : (int) code & CAUSE;
    }

    @Override
    int notPresent() {
        return 0;
    }

    @Override
    int malformed() {
        return CAUSE;
    }

    @Override
    int forbidden(int rights) {
        return (int) NestedPageFault.PRESENT;
    }

    @Override
    String describe(long code) {
        return String.format("nested page fault with EXITINFO1 0x%x", code);
    }

    @Override
    String entryName() {
        return "nested entries";
    }

    @Override
    boolean walk(long ngpa, int access, LongUnaryOperator memory) {
        int operation = (access & EptViolation.WRITE) != 0 ? Access.WRITE : (access & EptViolation.FETCH) != 0 ? Access.FETCH : Access.READ;
        walker.walk(ngpa, operation, memory, walk);
        return walk.allowed();
    }

    @Override
    int lowest() {
        return walk.lowest;
    }

    @Override
    long entry(int level) {
        return walk.entry(level);
    }

    @Override
    long entryAfter(int level, boolean write) {
        return walk.entryAfter(level, write);
    }

    @Override
    long gpa() {
        return walk.gpa;
    }

    @Override
    int refused() {
        return walk.outcome & CAUSE;
    }
}
