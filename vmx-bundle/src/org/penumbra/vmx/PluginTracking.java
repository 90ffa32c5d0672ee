package org.penumbra.vmx;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.memory.WriteTracking;
import org.penumbra.vmx.memory.Fence;

/** Write tracking as one MMU may use it: its requests end with it, and its listeners are called through its guard. */
final class PluginTracking implements WriteTracking {
    private final TrackedFrames frames;
    private final Fence fence;
    private final Guard guard;
    private final List<Request> open = new CopyOnWriteArrayList<>();

    PluginTracking(TrackedFrames frames, Fence fence, Guard guard) {
        this.frames = frames;
        this.fence = fence;
        this.guard = guard;
    }

    @Override
    public boolean isTracked(long gfn) {
        return frames.isTracked(gfn);
    }

    @Override
    public boolean anyTracked(long firstGfn, long count) {
        return frames.anyTracked(firstGfn, count);
    }

    @Override
    public int trackedSubPages(long gfn) {
        return frames.trackedSubPages(gfn);
    }

    @Override
    public Request track(long gfn, Listener listener) {
        return trackBytes(gfn << 12, PhysicalMemory.FRAME_BYTES, listener);
    }

    @Override
    public Request trackBytes(long start, int length, Listener listener) {
        fence.check();
        Request request = frames.trackBytes(
                start, length, (gpa, bytes) -> guard.run("WriteTracking.Listener", () -> listener.written(gpa, bytes)));
        open.add(request);
        return () -> {
            open.remove(request);
            request.close();
        };
    }

    /** Ends what is still open. */
    void close() {
        open.forEach(Request::close);
        open.clear();
    }
}
