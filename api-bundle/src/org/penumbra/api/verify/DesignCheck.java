package org.penumbra.api.verify;

import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.osgi.annotation.versioning.ConsumerType;

/**
 * A check of whole designs: many short runs of machines, each judged by itself. A whiteboard service with {@link #CHECK_NAME}. Stateless;
 * any thread.
 */
@ConsumerType
public interface DesignCheck {
    /** Service property: the name by which a user selects it. */
    String CHECK_NAME = "check.name";

    /**
     * What is asked for.
     *
     * @param design the design by its {@code mmu.name}; empty if the check has subjects of its own
     * @param settings of the design that differ from their defaults
     * @param names of subjects or properties, to which the check is confined; empty for all
     * @param seed the seed of the first run of each kind; the next run has the next seed
     * @param effort how often each run is made
     * @param nesting under which guest hypervisor guests run
     */
    record Request(String design, Map<String, String> settings, List<String> names, long seed, int effort, Nesting nesting) {
        /** Without a guest hypervisor. */
        public Request(String design, Map<String, String> settings, List<String> names, long seed, int effort) {
            this(design, settings, names, seed, effort, Nesting.NONE);
        }
    }

    /**
     * One line of the outcome.
     *
     * @param subject what was tried
     * @param what by which property, or which property has found it
     * @param runs how many runs it took; 0 if the property has no meaning for the subject
     * @param seed the seed of the run that decided; 0 if none did
     * @param finding what that run found, in one line; empty if nothing
     * @param good the outcome is as it should be
     */
    record Row(String subject, String what, int runs, long seed, String finding, boolean good) {}

    /** One line for people. */
    String description();

    /** True if {@link Request#design} is to be given. */
    boolean ofOneDesign();

    /** Names that {@link Request#names} may have. */
    List<String> names();

    /**
     * Makes the runs.
     *
     * @param rows told each row as soon as it is known
     * @param stop asked between runs
     * @throws IllegalArgumentException if the request has no meaning, saying what would be right
     */
    void run(Request request, Consumer<Row> rows, BooleanSupplier stop);
}
