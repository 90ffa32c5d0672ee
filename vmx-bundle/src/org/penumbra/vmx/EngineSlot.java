package org.penumbra.vmx;

import org.penumbra.api.cpu.EngineFactory;
import org.penumbra.api.cpu.ExecutionEngine;

/**
 * The execution engine of one machine, and its replacement: with the gate of the machine closed and under the lock of its
 * {@link Swapper}. What the guest is lies in guest state, registers and memory, so nothing is carried over.
 */
final class EngineSlot {
    private final VirtualMachine machine;
    private final Engines engines;
    private final Swapper swapper;
    private volatile Plugin<EngineFactory> engine;
    private volatile String name;

    EngineSlot(VirtualMachine machine, Engines engines, Swapper swapper) {
        this.machine = machine;
        this.engines = engines;
        this.swapper = swapper;
    }

    /** The engine by {@code engine.name}, be it there or waited for. */
    String name() {
        return name;
    }

    /** True while an engine is waited for. */
    boolean missing() {
        return engine == null;
    }

    /** Puts the first engine in place. */
    void begin(String first) {
        use(engines.find(first));
    }

    /** Notices that the service went before the machine could be found. */
    void recheck() {
        Plugin<EngineFactory> used = engine;
        if (used != null && !engines.has(used.id())) {
            gone(used.id());
        }
    }

    /** See {@link org.penumbra.api.machine.HotSwap#swapEngine}. */
    void swap(String other) {
        swapper.lock.lock();
        try {
            swapper.requireOpen();
            Plugin<EngineFactory> next = engines.find(other);
            swapper.close("to swap to engine " + next.title());
            try {
                use(next);
            } finally {
                swapper.reopen();
            }
        } finally {
            swapper.lock.unlock();
        }
        recheck();
    }

    /** An engine of name {@code arrived} has come: if it is waited for, the guest goes on. */
    void arrived(String arrived) {
        if (engine != null) {
            return;
        }
        swapper.lock.lock();
        try {
            if (!swapper.closed() && engine == null && arrived.equals(name)) {
                engines.lookup(arrived).ifPresent(this::use);
                swapper.reopen();
            }
        } finally {
            swapper.lock.unlock();
        }
    }

    /** The service {@code id} goes: returns when nothing of it is used any more. */
    void gone(Object id) {
        Plugin<EngineFactory> now = engine;
        if (now == null || !now.id().equals(id)) {
            return;
        }
        swapper.refuseInside();
        swapper.lock.lock();
        try {
            if (swapper.closed() || engine == null || !engine.id().equals(id)) {
                return;
            }
            swapper.force("engine stopped");
            Plugin<EngineFactory> other = engines.lookup(name).orElse(null);
            if (other != null) {
                use(other);
            } else {
                park();
            }
            swapper.reopen();
        } finally {
            swapper.lock.unlock();
        }
    }

    /** The machine ends. */
    void end() {
        for (VirtualCpu vcpu : machine.vcpus) {
            vcpu.detachEngine();
        }
        engine = null;
    }

    private void park() {
        for (VirtualCpu vcpu : machine.vcpus) {
            vcpu.leaveGuest();
            vcpu.detachEngine();
        }
        engine = null;
    }

    /** Makes an engine for each vCPU, and only then replaces those that are there. */
    private void use(Plugin<EngineFactory> next) {
        ExecutionEngine[] made = new ExecutionEngine[machine.vcpus.length];
        for (int i = 0; i < made.length; i++) {
            made[i] = next.service().create(machine.vcpus[i].guest());
        }
        if (engine != null) {
            park();
        }
        for (int i = 0; i < made.length; i++) {
            machine.vcpus[i].attach(made[i]);
        }
        engine = next;
        name = next.name();
    }
}
