package org.penumbra.testkit.contract;

import org.osgi.annotation.versioning.ConsumerType;

/**
 * What must hold for every MMU. A run tries it on machines of its own, in one configuration. Which one, and everything else that is left
 * to chance, follows from the seed alone, so that a seed repeats a failure. Stateless; any thread.
 */
@ConsumerType
public interface Property {
    /** A short name in lower case with hyphens, by which a user selects it. */
    String name();

    /** One line for people: what must hold. */
    String description();

    /** The number of configurations: as many runs with successive seeds try each once. 0 if the property has no meaning for the subject. */
    int configurations(Subject subject);

    /** In one line, why the property has no meaning for subjects with 0 {@link #configurations}; empty if it has one for all. */
    default String meaningless() {
        return "";
    }

    /** The configuration that {@code seed} selects, in words. */
    String configuration(Subject subject, long seed);

    /**
     * Tries the property once.
     *
     * @return empty if it held; else in one line what was wrong. An exception counts as a failure, too
     */
    String run(Subject subject, long seed);
}
