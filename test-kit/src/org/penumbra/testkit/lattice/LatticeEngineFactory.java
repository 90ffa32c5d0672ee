package org.penumbra.testkit.lattice;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.cpu.EngineFactory;
import org.penumbra.api.cpu.ExecutionEngine;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.machine.MachineException;

/** The engine that runs the guest of the access lattice, and no other. */
@Component(property = EngineFactory.ENGINE_NAME + "=" + LatticeEngineFactory.NAME)
public final class LatticeEngineFactory implements EngineFactory {
    static final String NAME = "lattice";

    @Override
    public ExecutionEngine create(GuestState guest) {
        if (guest.program instanceof LatticeGuest lattice) {
            return new LatticeEngine(lattice);
        }
        throw new MachineException("the engine '" + NAME + "' runs the guest of the access lattice only");
    }
}
