package org.penumbra.devices.interrupt;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.penumbra.api.interrupt.EventDescriptor;
import org.penumbra.api.interrupt.Interrupts;

/**
 * The resample events of each GSI ({@code kvm_kernel_irqfd_resampler}), and those of them that an EOI has called up and that are
 * to be signalled when the lock is released. Guarded by the lock of its machine.
 */
final class Resamplers {
    private final EventDescriptor[][] byGsi = new EventDescriptor[Interrupts.GSIS][];
    private EventDescriptor[] due;

    boolean has(int gsi) {
        return byGsi[gsi] != null;
    }

    void add(int gsi, EventDescriptor resample) {
        byGsi[gsi] = joined(byGsi[gsi], resample);
    }

    /** @return whether it was the last of {@code gsi} */
    boolean remove(int gsi, EventDescriptor resample) {
        List<EventDescriptor> rest = new ArrayList<>(Arrays.asList(byGsi[gsi]));
        rest.remove(resample);
        byGsi[gsi] = rest.isEmpty() ? null : rest.toArray(new EventDescriptor[0]);
        return rest.isEmpty();
    }

    /** Calls up the events of {@code gsi}. */
    void ring(int gsi) {
        due = due == null ? byGsi[gsi] : joined(due, byGsi[gsi]);
    }

    /** What was called up since the last time; null for none. Not to be changed. */
    EventDescriptor[] take() {
        EventDescriptor[] taken = due;
        due = null;
        return taken;
    }

    private static EventDescriptor[] joined(EventDescriptor[] some, EventDescriptor... more) {
        int before = some == null ? 0 : some.length;
        EventDescriptor[] all = some == null ? new EventDescriptor[more.length] : Arrays.copyOf(some, before + more.length);
        System.arraycopy(more, 0, all, before, more.length);
        return all;
    }

    /** Signals what {@link #take} has answered, once the lock is released. */
    static void signal(EventDescriptor[] taken) {
        if (taken != null) {
            for (EventDescriptor e : taken) {
                e.signal();
            }
        }
    }
}
