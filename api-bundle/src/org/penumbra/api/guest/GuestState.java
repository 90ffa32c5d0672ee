package org.penumbra.api.guest;

import java.util.Map;
import java.util.TreeMap;

/**
 * Everything that the guest on one vCPU is, beside its registers and memory: the machine owns it, an engine works on it, and
 * another engine can go on with it at any operation boundary. Plain fields, used by the thread that runs the vCPU.
 *
 * <p>Interruptions nest one deep: a page fault or an external interrupt while {@link #inHandler} is set is an error of the guest.
 */
public final class GuestState {
    private static final long FNV_OFFSET = 0xcbf2_9ce4_8422_2325L;

    /** The guest's software. */
    public final GuestProgram program;
    /** Steps of the program, and those of its interrupted handler. */
    public final StepBuffer batch = new StepBuffer(4096);
    public final StepBuffer handler = new StepBuffer(2048);

    /** The next step, of {@link #handler} while {@link #inHandler}, else of {@link #batch}. */
    public int next;
    public boolean inHandler;
    /** Of the interruption that {@link #handler} serves: position in {@link #batch}, CPL and RFLAGS to return to. */
    public int interruptedNext;
    public int interruptedCpl;
    public long interruptedRflags;
    /** The program has nothing left to do. */
    public boolean finished;
    /** Batches begun so far. */
    public long batches;
    /**
     * Depends on every value the guest loaded, in order: equal runs have equal digests. Accessed and dirty bits of page-table
     * entries are left out, since an equal guest can find them set earlier or later.
     */
    public long digest = FNV_OFFSET;

    /**
     * The guests of this guest, by the gpa of the VMCS or VMCB that they are entered with. Of such a guest GUEST_RIP, or RIP, is the number of its next step,
     * and each step is one byte long.
     */
    public final Map<Long, GuestState> guests = new TreeMap<>();

    /** The guest before its first operation. */
    public GuestState(GuestProgram program) {
        this.program = program;
    }

    /** {@link #digest} of this guest and of its guests. */
    public long digestOfAll() {
        long all = digest;
        for (GuestState inner : guests.values()) {
            all = Long.rotateLeft(all, 1) ^ inner.digestOfAll();
        }
        return all;
    }

    /** The steps that are executed now. */
    public StepBuffer steps() {
        return inHandler ? handler : batch;
    }
}
