package org.penumbra.api.clock;

import java.nio.file.Path;
import java.util.List;
import org.osgi.annotation.versioning.ProviderType;

/** The processor models that are known: a service of the hardware bundle. */
@ProviderType
public interface CostProfiles {
    /** All of them, sorted by name. */
    List<CostProfile> all();

    /**
     * The profile in {@code file}, a JSON document of the same form as the bundled ones.
     *
     * @throws IllegalArgumentException if it is not one: file, place, what would be right
     */
    CostProfile read(Path file);
}
