package org.penumbra.testkit.tlb;

import java.util.function.LongUnaryOperator;
import org.penumbra.api.paging.EptViolation;
import org.penumbra.testkit.reference.EptWalk;
import org.penumbra.testkit.reference.EptWalker;

/** EPT12: SDM vol. 3, "EPT Translation Mechanism". A refusal is reported by an exit qualification, −1 of an EPT misconfiguration. */
final class Ept12Tables extends Tables12 {
    private static final int ALLOWED = EptViolation.READABLE | EptViolation.WRITABLE | EptViolation.EXECUTABLE;
    private static final int ALLOWED_SHIFT = 3;

    final long eptp;
    private final EptWalker walker;
    private final EptWalk walk = new EptWalk();

    Ept12Tables(long eptp, int maxPhyAddr) {
        super(EptWalker.table(eptp), (int) (eptp >>> 3 & 7) + 1, EntryKind.EPT, EptWalker.tableAccessWrites(eptp), EptWalker.ACCESSED,
                EptWalker.DIRTY);
        this.eptp = eptp;
        walker = new EptWalker(maxPhyAddr, true, false);
    }

    @Override
    boolean sharesWith(Tables12 other) {
        return other instanceof Ept12Tables && other.top == top;
    }

    @Override
    boolean isLeaf(long entry, int level) {
        return EptWalker.isLeaf(entry, level);
    }

    @Override
    boolean malformed(long entry, int level) {
        return walker.misconfigured(entry, level);
    }

    @Override
    int rights(long entry) {
        return (int) entry & RIGHTS;
    }

    @Override
    int access(long code) {
        // A misconfiguration is one whatever the access.
        return code < 0 ? EptViolation.READ : (int) code & RIGHTS;
    }

    @Override
    int refusal(long code) {
        return code < 0 ? MISCONFIGURED : (int) code & ALLOWED;
    }

    @Override
    int notPresent() {
        return 0;
    }

    @Override
    int malformed() {
        return MISCONFIGURED;
    }

    @Override
    int forbidden(int rights) {
        return rights << ALLOWED_SHIFT;
    }

    @Override
    String describe(long code) {
        return code < 0 ? "EPT misconfiguration" : String.format("EPT violation with qualification 0x%x", code);
    }

    @Override
    String entryName() {
        return "EPT entries";
    }

    @Override
    boolean walk(long ngpa, int access, LongUnaryOperator memory) {
        walker.walk(eptp, ngpa, access, false, memory, walk);
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
        return walk.hpa;
    }

    @Override
    int refused() {
        return walk.outcome == EptWalk.Outcome.MISCONFIGURATION ? MISCONFIGURED : walk.qualification & ALLOWED;
    }
}
