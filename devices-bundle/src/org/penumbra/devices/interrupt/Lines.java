package org.penumbra.devices.interrupt;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.Arrays;
import org.penumbra.api.interrupt.ControllerState;
import org.penumbra.api.interrupt.Interrupts;

/**
 * Levels: of each GSI by source, and of each pin as the OR of the GSIs that lead there. A level belongs to the GSI, as to a wire
 * that can be plugged elsewhere; KVM keeps {@code irq_states} by pin, where a line that is high when its GSI is routed elsewhere
 * stays high for ever. Guarded by the lock of its machine.
 */
final class Lines {
    private final int[] sources = new int[Interrupts.GSIS];
    /** How many GSIs hold each pin high. */
    private int[] holders = new int[ControllerState.PINS];

    /** @return whether the GSI as a whole changed its level */
    boolean set(int gsi, int source, boolean high) {
        int before = sources[gsi];
        int after = high ? before | 1 << source : before & ~(1 << source);
        sources[gsi] = after;
        return before == 0 != (after == 0);
    }

    boolean isHigh(int gsi) {
        return sources[gsi] != 0;
    }

    boolean isPinHigh(int pin) {
        return holders[pin] > 0;
    }

    /** The GSI changed its level, and leads to {@code pin}. @return whether the pin changed its level */
    boolean change(int gsi, int pin) {
        boolean before = isPinHigh(pin);
        holders[pin] += isHigh(gsi) ? 1 : -1;
        return before != isPinHigh(pin);
    }

    /** Plugs all GSIs anew. @return the pins whose level changed by it, a bit each */
    int reroute(RoutingTable table) {
        int[] fresh = new int[ControllerState.PINS];
        for (int gsi = 0; gsi < sources.length; gsi++) {
            if (sources[gsi] != 0 && table.pin(gsi) >= 0) {
                fresh[table.pin(gsi)]++;
            }
        }
        int changed = 0;
        for (int pin = 0; pin < fresh.length; pin++) {
            changed |= (fresh[pin] > 0) != isPinHigh(pin) ? 1 << pin : 0;
        }
        holders = fresh;
        return changed;
    }

    void save(DataOutput out) throws IOException {
        for (int gsi = 0; gsi < sources.length; gsi++) {
            if (isHigh(gsi)) {
                out.writeInt(gsi);
                out.writeInt(sources[gsi]);
            }
        }
        out.writeInt(-1);
    }

    /** The lines are plugged as {@code table} says. */
    void restore(DataInput in, RoutingTable table) throws IOException {
        Arrays.fill(sources, 0);
        for (int gsi = in.readInt(); gsi >= 0; gsi = in.readInt()) {
            sources[gsi] = in.readInt();
        }
        reroute(table);
    }
}
