package org.penumbra.itest;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Dictionary;
import java.util.Hashtable;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.osgi.framework.BundleContext;
import org.osgi.framework.ServiceRegistration;
import org.osgi.test.common.annotation.InjectBundleContext;
import org.osgi.test.common.annotation.InjectService;
import org.penumbra.api.clock.CostProfiles;
import org.penumbra.api.cpu.EngineFactory;
import org.penumbra.api.experiment.Workload;
import org.penumbra.api.interrupt.Descriptors;
import org.penumbra.api.interrupt.InterruptControllerFactory;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineFactory;
import org.penumbra.api.vmx.ExitReason;

/** A guest that lives on interrupts, while MMU, controller and engine are replaced between two of them. */
class InterruptSwapTest {
    @InjectBundleContext
    BundleContext context;

    @InjectService(filter = "(machine.kind=vmx)")
    MachineFactory vmx;

    @InjectService
    CostProfiles profiles;

    @InjectService
    Descriptors descriptors;

    @InjectService(filter = "(workload.name=interrupt-driven)")
    Workload driven;

    @InjectService(filter = "(controller.name=x2apic)")
    InterruptControllerFactory controller;

    @InjectService(filter = "(engine.name=steps)")
    EngineFactory steps;

    private TickingGuest ticking() {
        return new TickingGuest(Trial.machine(vmx, Trial.skylake(profiles), driven, "shadow"), descriptors);
    }

    @Test
    @DisplayName("I03 a timer's ticks reach a running guest by injection: each once, with interrupt windows where it is not ready")
    void delivered() {
        TickingGuest t = ticking();
        t.finish();
        assertThat(t.injected()).isGreaterThan(400).isLessThanOrEqualTo(t.ticks.get());
        assertThat(t.machine.exits().rows()).anyMatch(r -> r.reason() == ExitReason.HLT).anyMatch(r -> r.reason() == ExitReason.MSR_WRITE);
    }

    @Test
    @DisplayName("P04 interrupt controller, engine and MMU are replaced between interrupts, with some in service and pending: the guest does what it does alone")
    void everythingSwapped() {
        TickingGuest alone = ticking();
        alone.finish();
        AtomicInteger made = new AtomicInteger();
        ServiceRegistration<InterruptControllerFactory> second = context.registerService(InterruptControllerFactory.class, (state, host) -> {
            made.incrementAndGet();
            return controller.create(state, host);
        }, named(InterruptControllerFactory.CONTROLLER_NAME, "second"));
        AtomicInteger engines = new AtomicInteger();
        ServiceRegistration<EngineFactory> traced = context.registerService(EngineFactory.class, guest -> {
            engines.incrementAndGet();
            return steps.create(guest);
        }, named(EngineFactory.ENGINE_NAME, "second"));
        TickingGuest t = ticking();
        int round = 0;
        while (t.machine.run(777)) {
            boolean odd = round++ % 2 == 1;
            t.machine.interrupts().swapController(odd ? "x2apic" : "second");
            t.machine.hotSwap().swapEngine(odd ? EngineFactory.STEPS : "second");
            if (round % 3 == 0) {
                t.machine.hotSwap().swap(t.machine.hotSwap().design().equals("ept") ? "shadow" : "ept", Map.of());
            }
        }
        if (t.machine.interrupts().controller().equals("second")) {
            t.machine.interrupts().swapController("x2apic");
        }
        t.finish();
        second.unregister();
        traced.unregister();
        assertThat(round).isGreaterThan(100);
        assertThat(made.get()).isGreaterThan(50);
        assertThat(engines.get()).isGreaterThan(50);
        assertThat(t.machine.operations()).isEqualTo(alone.machine.operations());
        assertThat(t.machine.guestDigest()).isEqualTo(alone.machine.guestDigest());
        assertThat(t.machine.memoryDigest()).isEqualTo(alone.machine.memoryDigest());
        assertThat(t.injected()).isEqualTo(alone.injected());
    }

    @Test
    @DisplayName("P04 engine and controller whose service goes are waited for, and the guest goes on when they come back")
    void gone() throws InterruptedException {
        ServiceRegistration<EngineFactory> engine =
                context.registerService(EngineFactory.class, steps::create, named(EngineFactory.ENGINE_NAME, "borrowed"));
        TickingGuest t = ticking();
        t.machine.run(5_000);
        t.machine.hotSwap().swapEngine("borrowed");
        engine.unregister();
        AtomicReference<Boolean> alive = new AtomicReference<>();
        Thread runner = new Thread(() -> alive.set(t.machine.run(5_000)));
        long before = t.machine.operations();
        runner.start();
        runner.join(100);
        assertThat(runner.isAlive()).as("the guest waits for its engine").isTrue();
        assertThat(t.machine.operations()).isEqualTo(before);
        engine = context.registerService(EngineFactory.class, steps::create, named(EngineFactory.ENGINE_NAME, "borrowed"));
        runner.join(10_000);
        assertThat(alive.get()).as("the run came back, and the guest lives").isTrue();
        assertThat(t.machine.operations()).isGreaterThan(before);
        ServiceRegistration<InterruptControllerFactory> borrowed = context.registerService(
                InterruptControllerFactory.class, controller::create, named(InterruptControllerFactory.CONTROLLER_NAME, "borrowed"));
        t.machine.interrupts().swapController("borrowed");
        borrowed.unregister();
        assertThat(t.machine.interrupts().controllerPresent()).isFalse();
        t.machine.interrupts().setLine(TickingGuest.GSI, true, 0);
        t.machine.interrupts().setLine(TickingGuest.GSI, false, 0);
        assertThat(t.machine.interrupts().pending(0)).isFalse();
        t.machine.interrupts().swapController("x2apic");
        assertThat(t.machine.interrupts().pending(0)).as("what was signalled meanwhile").isTrue();
        t.finish();
        engine.unregister();
    }

    private static Dictionary<String, Object> named(String key, String name) {
        Dictionary<String, Object> properties = new Hashtable<>();
        properties.put(key, name);
        return properties;
    }
}
