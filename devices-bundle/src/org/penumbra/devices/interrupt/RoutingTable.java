package org.penumbra.devices.interrupt;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.penumbra.api.interrupt.ControllerState;
import org.penumbra.api.interrupt.ErrnoException;
import org.penumbra.api.interrupt.GsiRoute;
import org.penumbra.api.interrupt.Interrupts;

/** A routing table ({@code struct kvm_irq_routing_table}): immutable, with the way back from a pin. */
final class RoutingTable {
    private final Map<Integer, GsiRoute> byGsi;
    private final GsiRoute[] routes = new GsiRoute[Interrupts.GSIS];
    private final int[][] gsisOf = new int[ControllerState.PINS][];

    /** @throws ErrnoException EINVAL if a GSI is out of range */
    RoutingTable(Map<Integer, GsiRoute> table) {
        byGsi = Collections.unmodifiableMap(new TreeMap<>(table));
        byGsi.forEach((gsi, route) -> {
            if (gsi < 0 || gsi >= Interrupts.GSIS || route == null) {
                throw new ErrnoException(ErrnoException.EINVAL, "no route can lead from GSI " + gsi + " to " + route);
            }
            routes[gsi] = route;
        });
        for (int pin = 0; pin < gsisOf.length; pin++) {
            GsiRoute toPin = new GsiRoute.Pin(pin);
            gsisOf[pin] = byGsi.keySet().stream().mapToInt(g -> g).filter(g -> toPin.equals(routes[g])).toArray();
        }
    }

    /** KVM's {@code default_routing}. */
    static RoutingTable identity() {
        Map<Integer, GsiRoute> table = new TreeMap<>();
        IntStream.range(0, ControllerState.PINS).forEach(n -> table.put(n, new GsiRoute.Pin(n)));
        return new RoutingTable(table);
    }

    Map<Integer, GsiRoute> byGsi() {
        return byGsi;
    }

    /** Null if the GSI leads nowhere. */
    GsiRoute route(int gsi) {
        return routes[gsi];
    }

    /** The pin of {@code gsi}, or −1 if it has none. */
    int pin(int gsi) {
        return routes[gsi] instanceof GsiRoute.Pin p ? p.pin() : -1;
    }

    /** The GSIs that lead to {@code pin}; not to be changed. */
    int[] gsisOf(int pin) {
        return gsisOf[pin];
    }

    void save(DataOutput out) throws IOException {
        out.writeInt(byGsi.size());
        for (Map.Entry<Integer, GsiRoute> e : byGsi.entrySet()) {
            out.writeInt(e.getKey());
            boolean message = e.getValue() instanceof GsiRoute.Msi;
            out.writeBoolean(message);
            if (e.getValue() instanceof GsiRoute.Msi m) {
                out.writeLong(m.address());
                out.writeInt(m.data());
            } else {
                out.writeInt(pin(e.getKey()));
            }
        }
    }

    static RoutingTable restored(DataInput in) throws IOException {
        Map<Integer, GsiRoute> table = new TreeMap<>();
        for (int left = in.readInt(); left > 0; left--) {
            int gsi = in.readInt();
            table.put(gsi, in.readBoolean() ? new GsiRoute.Msi(in.readLong(), in.readInt()) : new GsiRoute.Pin(in.readInt()));
        }
        return new RoutingTable(table);
    }
}
