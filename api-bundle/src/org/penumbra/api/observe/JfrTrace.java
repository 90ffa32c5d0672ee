package org.penumbra.api.observe;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import jdk.jfr.AnnotationElement;
import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.EventFactory;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.ValueDescriptor;

/**
 * Trace points as events of the JDK's Flight Recorder, one event type a point: {@code penumbra.kvm_mmu_get_page} and so on, with vCPU,
 * simulated cycles, retired operations and the fields of the point. The recorder's own time stamps are wall time. The types belong to this
 * bundle and not to an MMU's, which they would keep from being unloaded. Any thread.
 */
public final class JfrTrace implements TraceListener, AutoCloseable {
    /** What the names of the event types begin with. */
    public static final String PREFIX = "penumbra.";

    private static final int OWN_FIELDS = 3;

    private final Map<TracePoint, EventFactory> factories = new EnumMap<>(TracePoint.class);

    /** Registers the event types of {@code points}; until {@link #close}. */
    public JfrTrace(Set<TracePoint> points) {
        for (TracePoint point : points) {
            factories.put(point, factory(point));
        }
    }

    private static EventFactory factory(TracePoint point) {
        List<ValueDescriptor> fields = new ArrayList<>();
        fields.add(field(int.class, "vcpu", "vCPU, -1 for the host"));
        fields.add(field(long.class, "cycles", "Simulated cycles of the vCPU"));
        fields.add(field(long.class, "operations", "Operations retired by the vCPU"));
        point.fields().forEach(name -> fields.add(field(long.class, name, name)));
        return EventFactory.create(List.of(
                new AnnotationElement(Name.class, PREFIX + point.label()),
                new AnnotationElement(Label.class, point.label()),
                new AnnotationElement(Description.class, point.meaning()),
                new AnnotationElement(Category.class, new String[] {"Penumbra"}),
                new AnnotationElement(StackTrace.class, false)), fields);
    }

    private static ValueDescriptor field(Class<?> type, String name, String label) {
        return new ValueDescriptor(type, name, List.of(new AnnotationElement(Label.class, label)));
    }

    @Override
    public void passed(TracePoint point, int vcpu, long cycles, long operations, long a, long b, long c, long d, long e, long f) {
        EventFactory factory = factories.get(point);
        if (factory == null) {
            return;
        }
        Event event = factory.newEvent();
        if (!event.isEnabled()) {
            return;
        }
        event.set(0, vcpu);
        event.set(1, cycles);
        event.set(2, operations);
        long[] values = {a, b, c, d, e, f};
        for (int i = 0; i < point.fields().size(); i++) {
            event.set(OWN_FIELDS + i, values[i]);
        }
        event.commit();
    }

    @Override
    public void close() {
        factories.values().forEach(EventFactory::unregister);
        factories.clear();
    }
}
