package org.penumbra.experiments.walk;

import java.util.List;
import java.util.Optional;

/** The accesses that show a walk from all sides, in the order in which they were made. */
public record WalkResult(WalkRequest request, List<WalkPart> parts) {
    public WalkResult {
        parts = List.copyOf(parts);
    }

    /** The access of {@code kind}, if it was made. */
    public Optional<WalkPart> part(WalkPart.Kind kind) {
        return parts.stream().filter(p -> p.kind() == kind).findFirst();
    }
}
