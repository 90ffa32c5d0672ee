package {{package}};

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.interrupt.ControllerState;
import org.penumbra.api.interrupt.InterruptController;
import org.penumbra.api.interrupt.InterruptControllerFactory;

/** Publishes the controller under the name {@code {{name}}}. */
@Component(property = InterruptControllerFactory.CONTROLLER_NAME + "={{name}}")
public final class {{Name}}Factory implements InterruptControllerFactory {
    @Override
    public InterruptController create(ControllerState state, InterruptController.Host host) {
        return new {{Name}}(state, host);
    }
}
