package org.penumbra.experiments.guest;

import java.util.ArrayDeque;
import java.util.Arrays;
import org.penumbra.api.machine.MachineException;

/**
 * The guest kernel's free page frames and how many users each allocated one has. Frames are handed out in ascending order, and
 * the one freed last is reused first, as by Linux's per-CPU lists: a freed table soon becomes a data page. Memory grows with the
 * frames handed out, not with the guest's size. Blocks of a large page's frames are found at the end of what was handed out, or among the
 * blocks that came back whole; single frames are never put together again, as memory fragments without compaction. Used by the
 * kernel of one vCPU.
 */
final class FrameAllocator {
    private final String needs;
    private final int block;
    private final long start;
    private final long limit;
    private long fresh;
    private long[] free = new long[64];
    private int freeCount;
    private final ArrayDeque<Long> freeBlocks = new ArrayDeque<>();
    private int[] users = new int[64];
    private long inUse;

    /**
     * The frames from {@code start}, a multiple of a large page, up to {@code end}; {@code needs} is for the message when they run
     * out: who needs more than what.
     *
     * @param block frames of a large page
     */
    FrameAllocator(String needs, int block, long start, long end) {
        this.needs = needs;
        this.block = block;
        this.start = start;
        this.fresh = start >>> 12;
        this.limit = end >>> 12;
    }

    /**
     * A frame with one user; its contents are left over from before.
     *
     * @return its gpa
     * @throws MachineException if none is left
     */
    long allocate() {
        if (freeCount == 0 && fresh == limit && !freeBlocks.isEmpty()) {
            long whole = freeBlocks.pop();
            for (int i = block - 1; i >= 0; i--) {
                push((whole >>> 12) + i);
            }
        }
        long pfn;
        if (freeCount > 0) {
            pfn = free[--freeCount];
        } else if (fresh < limit) {
            pfn = fresh++;
        } else {
            throw exhausted();
        }
        take(pfn << 12);
        return pfn << 12;
    }

    private MachineException exhausted() {
        return new MachineException("guest out of memory: " + needs + "; give more with --memory");
    }

    /**
     * The frames of a large page, with one user each.
     *
     * @return the gpa of the first, a multiple of their size; 0 if there are none, which is no error
     */
    long allocateBlock() {
        long first;
        if (!freeBlocks.isEmpty()) {
            first = freeBlocks.pop();
        } else {
            long aligned = fresh + block - 1 & -block;
            if (aligned + block > limit) {
                return 0;
            }
            while (fresh < aligned) {
                push(fresh++);
            }
            first = aligned << 12;
            fresh += block;
        }
        for (int i = 0; i < block; i++) {
            take(first + i * GuestLayout.PAGE);
        }
        return first;
    }

    /**
     * {@code count} frames that follow one another and were never used, with one user each; they are released one by one.
     *
     * @return the gpa of the first
     * @throws MachineException if there are none
     */
    long allocateRun(int count) {
        if (fresh + count > limit) {
            throw exhausted();
        }
        long first = fresh << 12;
        fresh += count;
        for (int i = 0; i < count; i++) {
            take(first + i * GuestLayout.PAGE);
        }
        return first;
    }

    private void take(long gpa) {
        int i = slot(gpa);
        if (i >= users.length) {
            users = Arrays.copyOf(users, Math.max(i + 1, users.length * 2));
        }
        users[i] = 1;
        inUse++;
    }

    /** Another user of each of {@code count} frames from {@code gpa} on. */
    void share(long gpa, int count) {
        for (int i = slot(gpa), end = i + count; i < end; i++) {
            users[i]++;
        }
    }

    /** True if one user has all of {@code count} frames from {@code gpa} on. */
    boolean exclusive(long gpa, int count) {
        for (int i = slot(gpa), end = i + count; i < end; i++) {
            if (users[i] != 1) {
                return false;
            }
        }
        return true;
    }

    /** One user less for a page of {@code count} frames, 1 or a block; the last one frees them. */
    void release(long gpa, int count) {
        if (count == block && exclusive(gpa, block)) {
            Arrays.fill(users, slot(gpa), slot(gpa) + block, 0);
            inUse -= block;
            freeBlocks.push(gpa);
            return;
        }
        for (int i = 0; i < count; i++) {
            release(gpa + i * GuestLayout.PAGE);
        }
    }

    /** One user less; the last one frees the frame. */
    void release(long gpa) {
        int i = slot(gpa);
        if (users[i] <= 0) {
            throw new IllegalStateException(String.format("the guest kernel frees frame 0x%x, which nobody uses", gpa));
        }
        if (--users[i] == 0) {
            push(gpa >>> 12);
            inUse--;
        }
    }

    private void push(long pfn) {
        if (freeCount == free.length) {
            free = Arrays.copyOf(free, freeCount * 2);
        }
        free[freeCount++] = pfn;
    }

    /** Frames that are allocated now. */
    long inUse() {
        return inUse;
    }

    private int slot(long gpa) {
        return (int) ((gpa - start) >>> 12);
    }
}
