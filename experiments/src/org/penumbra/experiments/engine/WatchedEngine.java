package org.penumbra.experiments.engine;

import org.penumbra.api.cpu.ExecutionEngine;
import org.penumbra.api.cpu.GuestOperation;
import org.penumbra.api.cpu.MemoryHooks;
import org.penumbra.api.cpu.MemoryPort;
import org.penumbra.api.cpu.Processor;
import org.penumbra.api.cpu.VirtualizationExtension;
import org.penumbra.api.guest.GuestState;

/** An engine that somebody looks at. */
final class WatchedEngine implements ExecutionEngine {
    private final ExecutionEngine engine;
    private final EngineWatcher watcher;
    private Processor processor;

    WatchedEngine(ExecutionEngine engine, EngineWatcher watcher) {
        this.engine = engine;
        this.watcher = watcher;
    }

    @Override
    public void attach(Processor cpu, MemoryPort port, int vcpu) {
        processor = cpu;
        engine.attach(cpu, port, vcpu);
        watcher.attached(cpu);
    }

    @Override
    public Stop run(long budget) {
        Stop stop = engine.run(budget);
        if (stop == Stop.EXIT) {
            watcher.exited(processor.exit());
        }
        return stop;
    }

    @Override
    public GuestOperation operation() {
        return engine.operation();
    }

    @Override
    public boolean complete(MemoryHooks hooks) {
        boolean done = engine.complete(hooks);
        if (done) {
            watcher.emulated();
        }
        return done;
    }

    @Override
    public boolean executes(VirtualizationExtension extension) {
        return engine.executes(extension);
    }

    @Override
    public void switchTo(GuestState guest) {
        engine.switchTo(guest);
    }

    @Override
    public void skip() {
        engine.skip();
    }
}
