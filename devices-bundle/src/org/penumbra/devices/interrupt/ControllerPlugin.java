package org.penumbra.devices.interrupt;

import org.osgi.framework.ServiceReference;
import org.penumbra.api.interrupt.InterruptControllerFactory;

/** A controller design that is there now. */
record ControllerPlugin(
        ServiceReference<InterruptControllerFactory> reference, String name, InterruptControllerFactory factory) {}
