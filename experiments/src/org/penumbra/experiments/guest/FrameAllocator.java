package org.penumbra.experiments.guest;

import java.util.ArrayDeque;
import java.util.Arrays;
import org.penumbra.api.machine.MachineException;

/**
 * The guest kernel's free page frames and how many users each allocated one has. Frames are handed out in ascending order, and
 * the one freed last is reused first, as by Linux's per-CPU lists: a freed table soon becomes a data page. Memory grows with the
 * frames handed out, not with the guest's size. Blocks of 512 frames are found at the end of what was handed out, or among the
 * blocks that came back whole; single frames are never put together again, as memory fragments without compaction. Used by the
 * kernel of one vCPU.
 */
final class FrameAllocator {
    private static final int BLOCK = 512;

    private final String needs;
    private final long start;
    private final long limit;
    private long fresh;
    private long[] free = new long[64];
    private int freeCount;
    private final ArrayDeque<Long> freeBlocks = new ArrayDeque<>();
    private int[] users = new int[64];
    private long inUse;

    /**
     * The frames from {@code start} up to {@code end}, both multiples of 2 MiB; {@code needs} is for the message when they run out:
     * who needs more than what.
     */
    FrameAllocator(String needs, long start, long end) {
        this.needs = needs;
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
            long block = freeBlocks.pop();
            for (int i = BLOCK - 1; i >= 0; i--) {
                push((block >>> 12) + i);
            }
        }
        long pfn;
        if (freeCount > 0) {
            pfn = free[--freeCount];
        } else if (fresh < limit) {
            pfn = fresh++;
        } else {
            throw new MachineException("guest out of memory: " + needs + "; give more with --memory");
        }
        take(pfn << 12);
        return pfn << 12;
    }

    /**
     * 512 frames that follow one another, with one user each.
     *
     * @return the gpa of the first, a multiple of 2 MiB; 0 if there are none, which is no error
     */
    long allocateBlock() {
        long block;
        if (!freeBlocks.isEmpty()) {
            block = freeBlocks.pop();
        } else {
            long aligned = fresh + BLOCK - 1 & -BLOCK;
            if (aligned + BLOCK > limit) {
                return 0;
            }
            while (fresh < aligned) {
                push(fresh++);
            }
            block = aligned << 12;
            fresh += BLOCK;
        }
        for (int i = 0; i < BLOCK; i++) {
            take(block + i * GuestLayout.PAGE);
        }
        return block;
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

    /** One user less for a page of {@code count} (1 or 512) frames; the last one frees them. */
    void release(long gpa, int count) {
        if (count == BLOCK && exclusive(gpa, BLOCK)) {
            Arrays.fill(users, slot(gpa), slot(gpa) + BLOCK, 0);
            inUse -= BLOCK;
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

    /** Where its last frame ends. */
    long end() {
        return limit << 12;
    }

    /** Frames that are allocated now. */
    long inUse() {
        return inUse;
    }

    private int slot(long gpa) {
        return (int) ((gpa - start) >>> 12);
    }
}
