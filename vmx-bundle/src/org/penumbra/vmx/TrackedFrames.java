package org.penumbra.vmx;

import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.LongConsumer;
import org.penumbra.api.memory.WriteTracking;

/** The machine's write-tracking requests, counted per gfn. */
final class TrackedFrames implements WriteTracking {
    private final Map<Long, List<Listener>> listeners = new ConcurrentHashMap<>();
    private final LongConsumer protect;

    /** @param protect takes every writable mapping of a gfn away */
    TrackedFrames(LongConsumer protect) {
        this.protect = protect;
    }

    @Override
    public boolean isTracked(long gfn) {
        return !listeners.isEmpty() && listeners.containsKey(gfn);
    }

    @Override
    public boolean anyTracked(long firstGfn, long count) {
        for (long gfn = firstGfn; !listeners.isEmpty() && gfn < firstGfn + count; gfn++) {
            if (listeners.containsKey(gfn)) {
                return true;
            }
        }
        return false;
    }

    @Override
    public Request track(long gfn, Listener listener) {
        Listener mine = listener::written;
        listeners.compute(gfn, (key, old) -> {
            List<Listener> all = old == null ? new CopyOnWriteArrayList<>() : old;
            all.add(mine);
            return all;
        });
        protect.accept(gfn);
        return () -> listeners.computeIfPresent(gfn, (key, all) -> {
            all.remove(mine);
            return all.isEmpty() ? null : all;
        });
    }

    /** Software has written {@code bytes} bytes at {@code gpa}. */
    void written(long gpa, int bytes) {
        List<Listener> all = listeners.isEmpty() ? null : listeners.get(gpa >>> 12);
        if (all != null) {
            all.forEach(l -> l.written(gpa, bytes));
        }
    }
}
