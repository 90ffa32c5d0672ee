package org.penumbra.devices;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Function;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.penumbra.api.device.Board;
import org.penumbra.api.device.BoardDeviceFactory;
import org.penumbra.api.device.IoPorts;
import org.penumbra.api.device.IoPortsFactory;
import org.penumbra.api.device.MemoryDevice;
import org.penumbra.api.device.PortDevice;
import org.penumbra.api.device.PortDeviceFactory;

/** Gives each machine one of every device on the whiteboard. */
@Component
public final class PortSpaceFactory implements IoPortsFactory {
    private final List<PortDeviceFactory> factories = new CopyOnWriteArrayList<>();
    private final List<BoardDeviceFactory> boardFactories = new CopyOnWriteArrayList<>();

    @Reference(cardinality = ReferenceCardinality.MULTIPLE, policy = ReferencePolicy.DYNAMIC)
    void bindDevice(PortDeviceFactory factory) {
        factories.add(factory);
    }

    void unbindDevice(PortDeviceFactory factory) {
        factories.remove(factory);
    }

    @Reference(cardinality = ReferenceCardinality.MULTIPLE, policy = ReferencePolicy.DYNAMIC)
    void bindBoardDevice(BoardDeviceFactory factory) {
        boardFactories.add(factory);
    }

    void unbindBoardDevice(BoardDeviceFactory factory) {
        boardFactories.remove(factory);
    }

    @Override
    public IoPorts create() {
        return new PortSpace(ports(PortDeviceFactory::create), List.of());
    }

    @Override
    public IoPorts create(Board board) {
        List<PortDevice> ports = ports(f -> f.create(board));
        List<MemoryDevice> memory = new ArrayList<>();
        for (BoardDeviceFactory f : boardFactories) {
            BoardDeviceFactory.Device device = f.create(board);
            ports.addAll(device.ports());
            memory.addAll(device.memory());
        }
        return new PortSpace(ports, memory);
    }

    private List<PortDevice> ports(Function<PortDeviceFactory, PortDevice> create) {
        List<PortDevice> ports = new ArrayList<>();
        factories.forEach(f -> ports.add(create.apply(f)));
        return ports;
    }
}
