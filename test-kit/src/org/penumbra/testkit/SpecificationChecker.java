package org.penumbra.testkit;

import java.util.ArrayList;
import java.util.List;
import java.util.function.LongConsumer;
import java.util.function.LongUnaryOperator;
import org.eclipse.collections.impl.set.mutable.primitive.LongHashSet;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.observe.TranslationChecker;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.testkit.tlb.AbstractTlb;
import org.penumbra.testkit.tlb.AbstractTlb.Verdict;

/**
 * Compares a run with the {@link AbstractTlb}: counts, and keeps the first complaints. A wrong translation never stops the run.
 *
 * <p>Any thread; one call at a time. The verdicts mean what they say if calls arrive in the order in which their effects did,
 * as under a deterministic scheduler.
 */
final class SpecificationChecker implements TranslationChecker {
    private static final int COMPLAINTS = 10;

    private final AbstractTlb tlb;
    private final LongUnaryOperator hpaToGpa;
    /** Written guest frames. */
    private final LongHashSet written = new LongHashSet();
    private final List<String> complaints = new ArrayList<>();
    private long compared;
    private long stale;
    private long wrong;

    SpecificationChecker(
            int vcpus, int physicalAddressBits, PhysicalMemory memory, LongUnaryOperator gpaToHpa, LongUnaryOperator hpaToGpa) {
        this.hpaToGpa = hpaToGpa;
        tlb = new AbstractTlb(vcpus, physicalAddressBits, memory, gpaToHpa);
    }

    @Override
    public synchronized void translated(int vcpu, long gva, int access, long hpa) {
        if (count(tlb.translated(vcpu, gva, access, hpa))) {
            complaints.add(tlb.complaint(vcpu, gva, access, hpa));
        }
    }

    @Override
    public synchronized void pageFault(int vcpu, long gva, int errorCode, boolean ac) {
        if (count(tlb.pageFault(vcpu, gva, errorCode, ac))) {
            complaints.add(tlb.faultComplaint(vcpu, gva, errorCode, ac));
        }
    }

    @Override
    public synchronized void written(long hpa, int bytes) {
        tlb.written(hpa, bytes);
        note(hpa);
    }

    private void note(long hpa) {
        long gpa = hpaToGpa.applyAsLong(hpa);
        if (gpa >= 0) {
            written.add(gpa >>> 12);
        }
    }

    @Override
    public synchronized void takeWritten(LongConsumer gfns) {
        long[] taken = written.toSortedArray();
        written.clear();
        for (long gfn : taken) {
            gfns.accept(gfn);
        }
    }

    /** Flags that a processor sets are noticed by the abstract TLB when an entry is next read. */
    @Override
    public synchronized void updated(long hpa) {
        note(hpa);
    }

    @Override
    public synchronized void moved(long gfn) {
        tlb.moved(gfn);
    }

    @Override
    public synchronized void invalidatedPage(int vcpu, long gva) {
        tlb.invalidatedPage(vcpu, gva);
    }

    @Override
    public synchronized void invalidatedPcid(int vcpu, int type, int pcid, long gva) {
        tlb.invalidatedPcid(vcpu, type, pcid, gva);
    }

    @Override
    public synchronized void loaded(int vcpu, PagingState state, boolean keepPcid) {
        tlb.loaded(vcpu, state, keepPcid);
    }

    @Override
    public synchronized void enteredNested(int vcpu, int tag, TranslationRoot tables12, PagingState state) {
        tlb.entered(vcpu, tag, tables12, state);
    }

    @Override
    public synchronized void leftNested(int vcpu, PagingState state) {
        tlb.left(vcpu, state);
    }

    @Override
    public synchronized void invalidatedEpt(int vcpu, boolean all, long eptp) {
        tlb.invalidatedEpt(vcpu, all, eptp);
    }

    @Override
    public synchronized void flushedAsid(int vcpu, boolean all, int asid) {
        tlb.flushedAsid(vcpu, all, asid);
    }

    @Override
    public synchronized void invalidatedVpid(int vcpu, int type, int vpid, long gva) {
        tlb.invalidatedVpid(vcpu, type, vpid, gva);
    }

    @Override
    public synchronized void stageRefused(int vcpu, long gva, long gpa, long code) {
        tlb.walked(vcpu, gva);
        if (count(tlb.stageRefused(vcpu, gpa, code))) {
            complaints.add(tlb.stageComplaint(vcpu, gpa, code));
        }
    }

    @Override
    public synchronized long compared() {
        return compared;
    }

    @Override
    public synchronized long stale() {
        return stale;
    }

    @Override
    public synchronized long wrong() {
        return wrong;
    }

    @Override
    public synchronized List<String> complaints() {
        return List.copyOf(complaints);
    }

    /** Counts {@code verdict}; true if it deserves a complaint. */
    private boolean count(Verdict verdict) {
        compared++;
        if (verdict == Verdict.STALE) {
            stale++;
        }
        if (verdict == Verdict.WRONG) {
            wrong++;
        }
        return verdict == Verdict.WRONG && complaints.size() < COMPLAINTS;
    }
}
