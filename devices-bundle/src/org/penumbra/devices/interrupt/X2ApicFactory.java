package org.penumbra.devices.interrupt;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.interrupt.ControllerState;
import org.penumbra.api.interrupt.InterruptController;
import org.penumbra.api.interrupt.InterruptControllerFactory;
import org.penumbra.api.interrupt.InterruptsFactory;

/** The controller that machines start with. */
@Component(property = InterruptControllerFactory.CONTROLLER_NAME + "=" + InterruptsFactory.DEFAULT_CONTROLLER)
public final class X2ApicFactory implements InterruptControllerFactory {
    @Override
    public InterruptController create(ControllerState state, InterruptController.Host host) {
        return new X2Apic(state, host);
    }
}
