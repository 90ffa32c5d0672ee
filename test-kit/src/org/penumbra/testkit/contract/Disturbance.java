package org.penumbra.testkit.contract;

/** Something that the host or user space does to a machine between two turns of its guest. */
interface Disturbance {
    /**
     * Happens, or not, as chance has it.
     *
     * @return empty, or in one line what came out wrong
     */
    String happen();

    /** The run is over: what came out wrong in all, empty for nothing. */
    default String judge() {
        return "";
    }

    /** Ends what goes on. */
    default void close() {}
}
