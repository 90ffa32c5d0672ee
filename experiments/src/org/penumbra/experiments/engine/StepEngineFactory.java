package org.penumbra.experiments.engine;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.cpu.EngineFactory;
import org.penumbra.api.cpu.ExecutionEngine;
import org.penumbra.api.guest.GuestState;

/** Makes the engine that executes steps one by one; a program that is an {@link EngineWatcher} sees what it does. */
@Component(property = EngineFactory.ENGINE_NAME + "=" + EngineFactory.STEPS)
public final class StepEngineFactory implements EngineFactory {
    @Override
    public ExecutionEngine create(GuestState guest) {
        StepEngine engine = new StepEngine(guest);
        return guest.program instanceof EngineWatcher watcher ? new WatchedEngine(engine, watcher) : engine;
    }
}
