package org.penumbra.vmx;

import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.LongConsumer;
import org.penumbra.api.memory.WriteTracking;

/** The machine's write-tracking requests, by gfn. */
final class TrackedFrames implements WriteTracking {
    private static final int FRAME = 4096;
    private static final int SUB_PAGE = 128;

    private final Map<Long, List<Interest>> interests = new ConcurrentHashMap<>();
    private final LongConsumer protect;

    /** {@code listener} wants to see writes to {@code bytes} bytes from {@code gpa}. An object of its own for each request. */
    private static final class Interest {
        private final long gpa;
        private final int bytes;
        private final Listener listener;

        Interest(long gpa, int bytes, Listener listener) {
            this.gpa = gpa;
            this.bytes = bytes;
            this.listener = listener;
        }

        int subPages() {
            int first = (int) (gpa & FRAME - 1) / SUB_PAGE;
            int last = (int) ((gpa & FRAME - 1) + bytes - 1) / SUB_PAGE;
            return -1 >>> 31 - (last - first) << first;
        }

        void written(long at, int written) {
            if (at < gpa + bytes && gpa < at + written) {
                listener.written(at, written);
            }
        }
    }

    /** @param protect takes every writable mapping of a gfn away */
    TrackedFrames(LongConsumer protect) {
        this.protect = protect;
    }

    @Override
    public boolean isTracked(long gfn) {
        return !interests.isEmpty() && interests.containsKey(gfn);
    }

    @Override
    public boolean anyTracked(long firstGfn, long count) {
        for (long gfn = firstGfn; !interests.isEmpty() && gfn < firstGfn + count; gfn++) {
            if (interests.containsKey(gfn)) {
                return true;
            }
        }
        return false;
    }

    @Override
    public int trackedSubPages(long gfn) {
        List<Interest> all = interests.isEmpty() ? null : interests.get(gfn);
        return all == null ? 0 : all.stream().mapToInt(Interest::subPages).reduce(0, (a, b) -> a | b);
    }

    @Override
    public Request track(long gfn, Listener listener) {
        return trackBytes(gfn << 12, FRAME, listener);
    }

    @Override
    public Request trackBytes(long gpa, int bytes, Listener listener) {
        if (bytes < 1 || (gpa & FRAME - 1) + bytes > FRAME) {
            throw new IllegalArgumentException(String.format("%d bytes at 0x%x: from 1 on, within a frame, can be tracked", bytes, gpa));
        }
        long gfn = gpa >>> 12;
        Interest mine = new Interest(gpa, bytes, listener);
        interests.compute(gfn, (key, old) -> {
            List<Interest> all = old == null ? new CopyOnWriteArrayList<>() : old;
            all.add(mine);
            return all;
        });
        protect.accept(gfn);
        return () -> interests.computeIfPresent(gfn, (key, all) -> {
            all.remove(mine);
            return all.isEmpty() ? null : all;
        });
    }

    /** Software has written {@code bytes} bytes at {@code gpa}, within one frame. */
    void written(long gpa, int bytes) {
        List<Interest> all = interests.isEmpty() ? null : interests.get(gpa >>> 12);
        if (all != null) {
            all.forEach(interest -> interest.written(gpa, bytes));
        }
    }
}
