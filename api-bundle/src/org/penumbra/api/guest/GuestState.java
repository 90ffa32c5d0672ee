package org.penumbra.api.guest;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.Map;
import java.util.TreeMap;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.snapshot.Saved;

/**
 * Everything that the guest on one vCPU is, beside its registers and memory: the machine owns it, an engine works on it, and
 * another engine can go on with it at any operation boundary. Plain fields, used by the thread that runs the vCPU.
 *
 * <p>Interruptions nest one deep: a page fault or an external interrupt while {@link #inHandler} is set is an error of the guest.
 */
public final class GuestState implements Saved {
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

    private final GuestHistory history = new GuestHistory();

    /** Has the program fill {@link #batch}, of which the first step is the next. False, with an empty batch, if it has nothing left to do. */
    public boolean refill() {
        batch.clear();
        next = 0;
        batches++;
        history.refill();
        return program.refill(batch);
    }

    /** Has the program fill {@link #handler} for a page fault. See {@link GuestProgram#pageFault}. */
    public void pageFault(long cr2, int errorCode, boolean user) {
        handler.clear();
        history.pageFault(cr2, errorCode, user);
        program.pageFault(cr2, errorCode, user, handler);
    }

    /** Has the program fill {@link #handler} for an external interrupt. See {@link GuestProgram#interrupt}. */
    public void interrupt(int vector) {
        handler.clear();
        history.interrupt(vector);
        program.interrupt(vector, handler);
    }

    @Override
    public void save(DataOutput out) throws IOException {
        if (!guests.isEmpty()) {
            throw new MachineException("the guest has a guest of its own, which no snapshot can hold");
        }
        out.writeInt(next);
        out.writeBoolean(inHandler);
        out.writeInt(interruptedNext);
        out.writeInt(interruptedCpl);
        out.writeLong(interruptedRflags);
        out.writeBoolean(finished);
        out.writeLong(batches);
        out.writeLong(digest);
        history.save(out);
    }

    /** Asks the program, which must be a fresh one of the same guest, what the saved one was asked. */
    @Override
    public void restore(DataInput in) throws IOException {
        next = in.readInt();
        inHandler = in.readBoolean();
        interruptedNext = in.readInt();
        interruptedCpl = in.readInt();
        interruptedRflags = in.readLong();
        finished = in.readBoolean();
        batches = in.readLong();
        digest = in.readLong();
        history.restore(in, this);
        if (next < 0 || next > steps().count || inHandler && (interruptedNext < 0 || interruptedNext > batch.count)) {
            throw new IllegalArgumentException("the guest stands at a step that its program has not made: it is no program of this snapshot");
        }
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
