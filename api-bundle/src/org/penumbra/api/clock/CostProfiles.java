package org.penumbra.api.clock;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.osgi.annotation.versioning.ProviderType;

/** The processor models that are known: a service of the hardware bundle. */
@ProviderType
public interface CostProfiles {
    /** The source of a figure that a person has set for a run. */
    String SET_BY_USER = "set by the user";

    /** All of them, sorted by name. */
    List<CostProfile> all();

    /**
     * The profile in {@code file}, a JSON document of the same form as the bundled ones.
     *
     * @throws IllegalArgumentException if it is not one: file, place, what would be right
     */
    CostProfile read(Path file);

    /**
     * {@code base} with some figures changed by a person: each has the source {@link #SET_BY_USER} and the unit it had.
     *
     * @param values by key
     * @throws IllegalArgumentException if a key is unknown or the values make no processor: what is wrong, what would be right
     */
    CostProfile with(CostProfile base, Map<String, Long> values);
}
