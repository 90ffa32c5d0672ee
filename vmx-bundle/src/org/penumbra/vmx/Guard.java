package org.penumbra.vmx;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.memory.GuestMemoryException;
import org.penumbra.api.memory.LeaseException;
import org.penumbra.api.mmu.UnsupportedPagingException;

/**
 * Stands between the machine and one MMU: notes who is in a call and since when, turns whatever comes out of it wrong into one report
 * and an {@link MmuFailure}, and lets nobody in again after that. Plugin objects and their exceptions go no further than here.
 */
final class Guard {
    /** Who is told of the first misconduct. */
    interface Listener {
        void failed(Misconduct what, String report);
    }

    /** A caller's place: preallocated, so that a call allocates nothing. Used by one thread at a time; calls nest. */
    static final class Call {
        /** When the call began, 0 outside a call, {@link #ABANDONED} once the thread in it was given up. */
        private final AtomicLong since = new AtomicLong();
        private volatile Thread thread;
        private volatile String operation;
        private int depth;

        private boolean abandon() {
            long begun = since.get();
            return begun != 0 && begun != ABANDONED && since.compareAndSet(begun, ABANDONED);
        }
    }

    private static final long ABANDONED = -1;

    private final String design;
    private final Listener listener;
    private final List<Call> calls = new CopyOnWriteArrayList<>();
    private volatile String failure;

    /** @param design name and bundle, for reports */
    Guard(String design, Listener listener) {
        this.design = design;
        this.listener = listener;
    }

    /** A place for one caller. */
    Call place() {
        Call call = new Call();
        calls.add(call);
        return call;
    }

    /** A place that is not needed any more. */
    void giveUp(Call call) {
        calls.remove(call);
    }

    /** Why the MMU is used no more; null while all is well. */
    String failure() {
        return failure;
    }

    /** Before a call of {@code operation}. */
    void enter(Call call, String operation) {
        if (failure != null) {
            throw new MmuFailure(failure);
        }
        if (call.depth++ == 0) {
            call.operation = operation;
            call.thread = Thread.currentThread();
            call.since.set(System.nanoTime() & Long.MAX_VALUE | 1);
        }
    }

    /**
     * After the call, however it ended. A thread that was given up while it was inside ends here: either it is out before the watchdog
     * decides, or it does nothing more.
     */
    void leave(Call call) {
        long begun = call.since.get();
        if (begun == ABANDONED) {
            throw new AbandonedException();
        }
        if (--call.depth == 0) {
            call.thread = null;
            if (!call.since.compareAndSet(begun, 0)) {
                throw new AbandonedException();
            }
        }
    }

    /** What {@code work}, a call of {@code operation} from no place of its own, answers; null is an answer that no call may give. */
    <T> T call(String operation, Supplier<T> work) {
        Call place = place();
        T answer;
        try {
            enter(place, operation);
            try {
                answer = work.get();
            } catch (Throwable e) {
                throw thrown(operation, e);
            } finally {
                leave(place);
            }
        } finally {
            giveUp(place);
        }
        if (answer == null) {
            throw fail(Misconduct.NONSENSE, operation + " answered null");
        }
        return answer;
    }

    /** Does {@code work}, a call of {@code operation} that has no answer. */
    void run(String operation, Runnable work) {
        call(operation, () -> {
            work.run();
            return operation;
        });
    }

    /** What to throw for {@code problem}, which came out of {@code operation}. */
    RuntimeException thrown(String operation, Throwable problem) {
        if (problem instanceof AbandonedException || problem instanceof MmuFailure) {
            return (RuntimeException) problem;
        }
        if (problem instanceof LeaseException e && e.isExhausted() || problem instanceof UnsupportedPagingException) {
            return new MachineException("design '" + design + "': " + problem.getMessage());
        }
        if (problem instanceof IllegalArgumentException && operation.equals("MmuFactory.create")) {
            // By the contract: a setting without meaning.
            return new MachineException("design " + design + ": " + problem.getMessage());
        }
        if (problem instanceof VirtualMachineError && !(problem instanceof StackOverflowError)) {
            throw (VirtualMachineError) problem;
        }
        Misconduct what = problem instanceof LeaseException ? Misconduct.OUTSIDE_LEASE : Misconduct.THREW;
        return fail(what, operation + " threw: " + text(problem));
    }

    /** The words of {@code problem}, which may be a plugin's own class. */
    private static String text(Throwable problem) {
        try {
            return problem instanceof LeaseException || problem instanceof GuestMemoryException ? problem.getMessage() : String.valueOf(problem);
        } catch (RuntimeException | LinkageError e) {
            return problem.getClass().getName();
        }
    }

    /** Reports misconduct, once for this MMU; answers what to throw. */
    MmuFailure fail(Misconduct what, String details) {
        String report = String.format("design %s lost its lease: %s (%s)", design, details, what.law());
        boolean first;
        synchronized (this) {
            first = failure == null;
            if (first) {
                failure = report;
            }
        }
        if (first) {
            listener.failed(what, report);
        }
        return new MmuFailure(failure);
    }

    /**
     * Gives up a thread that has been in a call for longer than {@code millis}, after its misconduct was reported: it will do nothing
     * more when it comes back. Answers the thread, null if there is none.
     */
    Thread stuck(long millis) {
        long now = System.nanoTime() & Long.MAX_VALUE;
        for (Call call : calls) {
            long since = call.since.get();
            Thread thread = call.thread;
            String operation = call.operation;
            boolean late = since > 0 && now - since > TimeUnit.MILLISECONDS.toNanos(millis);
            if (late && thread != null && call.since.compareAndSet(since, ABANDONED)) {
                fail(Misconduct.STUCK, operation + " has not returned for " + millis + " ms");
                abandon(thread);
                return thread;
            }
        }
        return null;
    }

    /** Gives up {@code thread} if it is in a call; false if it is not. */
    boolean abandon(Thread thread) {
        boolean inside = false;
        for (Call call : calls) {
            if (call.thread == thread && call.abandon()) {
                giveUp(call);
                inside = true;
            }
        }
        return inside;
    }
}
