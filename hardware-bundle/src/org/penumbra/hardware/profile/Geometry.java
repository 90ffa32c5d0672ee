package org.penumbra.hardware.profile;

import java.util.Map;
import org.penumbra.api.clock.CostProfile.Figure;

/** Whether figures that are all there, each within its bounds, describe caches that can be built. */
final class Geometry {
    private final Map<String, Figure> figures;

    Geometry(Map<String, Figure> figures) {
        this.figures = figures;
    }

    /** @throws IllegalArgumentException if they do not: the key, its value, what would be right */
    void check() {
        long bits = value("cpu.linear-address-bits");
        if (bits != 48 && bits != 57) {
            throw wrong("cpu.linear-address-bits", bits, "48 (4-level paging) or 57 (5-level paging as well) is needed");
        }
        if (value("tlb.second-level.huge") != 0 && value("tlb.second-level-huge" + FigureKeys.ENTRIES) != 0) {
            throw wrong("tlb.second-level.huge", 1, "0 is needed with tlb.second-level-huge.entries, 1 GiB pages being held there");
        }
        for (String array : FigureKeys.translationArrays()) {
            divides(array, value(array + FigureKeys.ENTRIES), "entries");
        }
        for (String cache : FigureKeys.dataCaches()) {
            long bytes = value(cache + FigureKeys.BYTES);
            if (bytes % FigureKeys.LINE != 0) {
                throw wrong(cache + FigureKeys.BYTES, bytes, "a multiple of " + FigureKeys.LINE + ", the bytes of a line, is needed");
            }
            divides(cache, bytes / FigureKeys.LINE, "lines");
        }
    }

    private void divides(String cache, long capacity, String of) {
        long ways = value(cache + FigureKeys.WAYS);
        if (capacity % ways != 0) {
            throw wrong(cache + FigureKeys.WAYS, ways, "a divisor of the " + capacity + " " + of + " is needed");
        }
    }

    private long value(String key) {
        return figures.get(key).value();
    }

    private static IllegalArgumentException wrong(String key, long value, String right) {
        return new IllegalArgumentException("figure \"" + key + "\" is " + value + ": " + right);
    }
}
