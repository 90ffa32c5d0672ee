package org.penumbra.experiments.cli;

import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.penumbra.api.observe.TracePoint;
import org.penumbra.experiments.run.RefusedException;
import org.penumbra.experiments.run.Suggestions;

/** Trace points as a person names them. */
final class TracePoints {
    private TracePoints() {}

    /**
     * The points that {@code names} name, all if there are none; a * at the end of a name stands for anything.
     *
     * @throws RefusedException if one names nothing
     */
    static Set<TracePoint> named(List<String> names) {
        if (names.isEmpty()) {
            return EnumSet.allOf(TracePoint.class);
        }
        Set<TracePoint> chosen = EnumSet.noneOf(TracePoint.class);
        for (String name : names) {
            boolean open = name.endsWith("*");
            String begin = open ? name.substring(0, name.length() - 1) : name;
            List<TracePoint> meant = Arrays.stream(TracePoint.values())
                    .filter(p -> open ? p.label().startsWith(begin) : p.label().equals(name)).toList();
            if (meant.isEmpty()) {
                throw new RefusedException("--tracepoints: "
                        + Suggestions.unknown("trace point", name, Arrays.stream(TracePoint.values()).map(TracePoint::label).toList()));
            }
            chosen.addAll(meant);
        }
        return chosen;
    }
}
