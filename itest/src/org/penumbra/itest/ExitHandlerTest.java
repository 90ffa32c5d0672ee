package org.penumbra.itest;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Dictionary;
import java.util.Hashtable;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.osgi.framework.BundleContext;
import org.osgi.framework.Constants;
import org.osgi.framework.ServiceRegistration;
import org.osgi.test.common.annotation.InjectBundleContext;
import org.osgi.test.common.annotation.InjectService;
import org.penumbra.api.clock.CostProfiles;
import org.penumbra.api.experiment.Workload;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MachineFactory;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.api.vmx.VmExitHandler;

class ExitHandlerTest {
    @InjectBundleContext
    BundleContext context;

    @InjectService(filter = "(machine.kind=vmx)")
    MachineFactory vmx;

    @InjectService
    CostProfiles profiles;

    @InjectService(filter = "(exit.reason=INVLPG)")
    VmExitHandler stock;

    @InjectService(filter = "(workload.name=mmap-churn)")
    Workload churn;

    @Test
    @DisplayName("V05 a handler of higher rank takes over a running guest's exits, and gives them back when it goes")
    void replaced() {
        Machine untouched = Trial.finish(Trial.machine(vmx, profiles.all().get(0), churn, "shadow"));
        Machine machine = Trial.machine(vmx, profiles.all().get(0), churn, "shadow");
        AtomicInteger seen = new AtomicInteger();
        VmExitHandler counting = (vcpu, exit) -> {
            seen.incrementAndGet();
            return stock.handle(vcpu, exit);
        };
        machine.run(200_000);
        long before = invlpg(machine);
        assertThat(before).isPositive();
        Dictionary<String, Object> properties = new Hashtable<>();
        properties.put(VmExitHandler.EXIT_REASON, ExitReason.INVLPG.name());
        properties.put(Constants.SERVICE_RANKING, 100);
        ServiceRegistration<VmExitHandler> service = context.registerService(VmExitHandler.class, counting, properties);
        machine.run(200_000);
        service.unregister();
        long during = invlpg(machine) - before;
        Trial.finish(machine);
        assertThat(seen.get()).isPositive().isEqualTo((int) during);
        assertThat(invlpg(machine)).isEqualTo(invlpg(untouched)).isGreaterThan(before + during);
        assertThat(machine.guestDigest()).isEqualTo(untouched.guestDigest());
        assertThat(machine.cycles().total()).isEqualTo(untouched.cycles().total());
    }

    @Test
    @DisplayName("P04 handlers come and go while exits happen: once one has gone nobody is in it, and the guest notices nothing")
    void comeAndGo() throws InterruptedException {
        AtomicInteger inside = new AtomicInteger();
        AtomicInteger seen = new AtomicInteger();
        MachineConfig config = new MachineConfig(64 << 20, 1, profiles.all().get(0), "shadow", Map.of(), false);
        try (GuestRunner runner = new GuestRunner(() -> vmx.create(config, churn.prepare(1)))) {
            Dictionary<String, Object> properties = new Hashtable<>();
            properties.put(VmExitHandler.EXIT_REASON, ExitReason.INVLPG.name());
            properties.put(Constants.SERVICE_RANKING, 100);
            for (int i = 0; i < 200; i++) {
                ServiceRegistration<VmExitHandler> service = context.registerService(VmExitHandler.class, (vcpu, exit) -> {
                    inside.incrementAndGet();
                    try {
                        seen.incrementAndGet();
                        return stock.handle(vcpu, exit);
                    } finally {
                        inside.decrementAndGet();
                    }
                }, properties);
                int before = seen.get();
                while (seen.get() < before + 5 && runner.failure() == null) {
                    Thread.onSpinWait();
                }
                service.unregister();
                int after = seen.get();
                assertThat(inside.get()).as("calls of a handler that has gone").isZero();
                Thread.onSpinWait();
                assertThat(seen.get()).isEqualTo(after);
                assertThat(runner.failure()).isNull();
            }
        }
    }

    private static long invlpg(Machine machine) {
        return machine.exits().rows().stream().filter(row -> row.reason() == ExitReason.INVLPG).mapToLong(row -> row.samples()).sum();
    }
}
