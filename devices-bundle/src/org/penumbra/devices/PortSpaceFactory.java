package org.penumbra.devices;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Collectors;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.penumbra.api.device.IoPorts;
import org.penumbra.api.device.IoPortsFactory;
import org.penumbra.api.device.PortDeviceFactory;

/** Gives each machine one of every port device on the whiteboard. */
@Component
public final class PortSpaceFactory implements IoPortsFactory {
    private final List<PortDeviceFactory> factories = new CopyOnWriteArrayList<>();

    @Reference(cardinality = ReferenceCardinality.MULTIPLE, policy = ReferencePolicy.DYNAMIC)
    void bindDevice(PortDeviceFactory factory) {
        factories.add(factory);
    }

    void unbindDevice(PortDeviceFactory factory) {
        factories.remove(factory);
    }

    @Override
    public IoPorts create() {
        return new PortSpace(factories.stream().map(PortDeviceFactory::create).collect(Collectors.toList()));
    }
}
