package org.penumbra.vmx;

/**
 * A service that can be replaced, and where it came from.
 *
 * @param id tells services apart; the greatest is preferred, as service references are ordered
 * @param name the name by which a user selects it
 * @param bundle symbolic name and version of the bundle that publishes it
 */
record Plugin<T>(Comparable<Object> id, String name, String bundle, T service) {
    /** Name and bundle, for reports. */
    String title() {
        return name + " (" + bundle + ")";
    }
}
