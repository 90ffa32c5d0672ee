package org.penumbra.testkit.script;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.cpu.EngineFactory;
import org.penumbra.api.cpu.ExecutionEngine;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.machine.MachineException;

/** The engine that runs {@link ScriptedGuest}s, and no other guest. */
@Component(property = EngineFactory.ENGINE_NAME + "=" + ScriptEngineFactory.NAME)
public final class ScriptEngineFactory implements EngineFactory {
    /** The {@code engine.name}. */
    public static final String NAME = "script";

    @Override
    public ExecutionEngine create(GuestState guest) {
        if (guest.program instanceof ScriptedGuest) {
            return new ScriptEngine(guest);
        }
        throw new MachineException("the engine '" + NAME + "' runs the test kit's own guests only");
    }
}
