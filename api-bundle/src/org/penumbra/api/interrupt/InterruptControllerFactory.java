package org.penumbra.api.interrupt;

import org.osgi.annotation.versioning.ConsumerType;

/**
 * Makes interrupt controllers of one design: a whiteboard service with {@link #CONTROLLER_NAME}. Stateless; any thread. When the
 * service goes its controllers are dropped: {@code ungetService} is called only after the last call to any of them.
 */
@ConsumerType
@FunctionalInterface
public interface InterruptControllerFactory {
    /** Service property: the name by which a user selects the design. */
    String CONTROLLER_NAME = "controller.name";

    /**
     * A controller that goes on from {@code state}. It signals nothing to {@code host} for what the state already holds. Called
     * with other controllers of the same machine stopped; must not wait for other threads.
     */
    InterruptController create(ControllerState state, InterruptController.Host host);
}
