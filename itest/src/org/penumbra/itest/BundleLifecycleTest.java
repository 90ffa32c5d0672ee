package org.penumbra.itest;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.lang.ref.WeakReference;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Dictionary;
import java.util.Hashtable;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.Constants;
import org.osgi.framework.FrameworkEvent;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.ServiceRegistration;
import org.osgi.framework.wiring.BundleWiring;
import org.osgi.framework.wiring.FrameworkWiring;
import org.osgi.test.common.annotation.InjectService;
import org.penumbra.api.clock.CostProfiles;
import org.penumbra.api.experiment.Workload;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MachineFactory;
import org.penumbra.api.mmu.MmuFactory;

/**
 * The bundle of the MMU in use is stopped, updated, removed and brought back, while a guest runs under it. How often is set by the
 * environment variable PENUMBRA_LIFECYCLES.
 */
class BundleLifecycleTest {
    private static final int CYCLES = Integer.parseInt(System.getenv().getOrDefault("PENUMBRA_LIFECYCLES", "1000"));
    private static final String SHADOW = "org.penumbra.shadow";

    /** Not an injected one, which takes back what a test installs. */
    private final BundleContext context = FrameworkUtil.getBundle(BundleLifecycleTest.class).getBundleContext();

    @InjectService(filter = "(machine.kind=vmx)")
    MachineFactory vmx;

    @InjectService
    CostProfiles profiles;

    @InjectService(filter = "(workload.name=fork-heavy)")
    Workload forks;

    private Path jar;
    private String location;
    private final List<WeakReference<ClassLoader>> loaders = new ArrayList<>();

    @BeforeEach
    void copyOfTheBundle() throws IOException {
        jar = Files.createTempFile("penumbra-shadow", ".jar");
        location = bundle().getLocation();
        try (InputStream in = URI.create(location.replaceFirst("^reference:", "")).toURL().openStream()) {
            Files.write(jar, in.readAllBytes());
        }
    }

    @AfterEach
    void restore() throws Exception {
        for (Bundle b : context.getBundles()) {
            if (SHADOW.equals(b.getSymbolicName()) && !b.getLocation().equals(location)) {
                b.uninstall();
            }
        }
        try (InputStream in = Files.newInputStream(jar)) {
            context.installBundle(location, in).start();
        }
        Files.delete(jar);
    }

    private Bundle bundle() {
        for (Bundle b : context.getBundles()) {
            if (SHADOW.equals(b.getSymbolicName())) {
                return b;
            }
        }
        throw new AssertionError(SHADOW + " is not installed");
    }

    private Machine machine() {
        MachineConfig config = new MachineConfig(64 << 20, 1, profiles.all().get(0), "shadow", Map.of(), false);
        return vmx.create(config, forks.prepare(1));
    }

    @Test
    @DisplayName("P02 the bundle in use is stopped, updated, uninstalled, reinstalled and refreshed: the guest waits and goes on; P03 and nothing of it stays")
    void lifecycles() throws Exception {
        try (GuestRunner runner = new GuestRunner(this::machine)) {
            cycles(runner, 50);
            Footprint before = Footprint.now();
            cycles(runner, CYCLES);
            Footprint.now().assertNoLargerThan(before);
            // However few of its operations fitted between two cycles, the disturbed guest gets to its end.
            while (runner.guests() == 0 && runner.failure() == null) {
                progress(runner);
            }
            assertThat(runner.failure()).isNull();
            assertThat(runner.guests()).isPositive();
            assertThat(loaders).hasSizeGreaterThan(CYCLES / 2);
            assertThat(alive()).as("class loaders of bundles that were replaced").isLessThanOrEqualTo(1);
        }
    }

    private void cycles(GuestRunner runner, int n) throws Exception {
        for (int i = 0; i < n; i++) {
            if (i % 5 == 4) {
                progress(runner);
            } else {
                synchronized (runner) {
                    cycle(runner, i);
                }
            }
            assertThat(runner.failure()).isNull();
        }
    }

    private void cycle(GuestRunner runner, int i) throws Exception {
        Bundle shadow = bundle();
        switch (i % 5) {
            case 0:
                shadow.stop();
                assertThat(runner.machine().hotSwap().waiting()).as("the guest waits").isTrue();
                shadow.start();
                break;
            case 1:
                note(shadow);
                try (InputStream in = Files.newInputStream(jar)) {
                    shadow.update(in);
                }
                break;
            case 2:
                note(shadow);
                shadow.uninstall();
                assertThat(runner.machine().hotSwap().waiting()).as("the guest waits").isTrue();
                try (InputStream in = Files.newInputStream(jar)) {
                    context.installBundle("penumbra-test:shadow-" + i, in).start();
                }
                break;
            case 3:
                note(shadow);
                refresh(shadow);
                break;
            default:
                throw new AssertionError("there are four things to do to a bundle");
        }
    }

    /** Returns when a guest has done something. */
    private static void progress(GuestRunner runner) {
        Machine same = runner.machine();
        long before = same.operations();
        while (same == runner.machine() && same.operations() == before && runner.failure() == null) {
            Thread.onSpinWait();
        }
    }

    private void note(Bundle bundle) {
        loaders.add(new WeakReference<>(bundle.adapt(BundleWiring.class).getClassLoader()));
    }

    private void refresh(Bundle bundle) throws InterruptedException {
        CountDownLatch done = new CountDownLatch(1);
        context.getBundle(Constants.SYSTEM_BUNDLE_LOCATION).adapt(FrameworkWiring.class).refreshBundles(List.of(bundle), event -> {
            if (event.getType() == FrameworkEvent.PACKAGES_REFRESHED) {
                done.countDown();
            }
        });
        assertThat(done.await(30, TimeUnit.SECONDS)).isTrue();
    }

    private long alive() throws InterruptedException {
        long alive = loaders.size();
        for (int i = 0; i < 20 && alive > 1; i++) {
            System.gc();
            Thread.sleep(50);
            alive = loaders.stream().filter(l -> l.get() != null).count();
        }
        return alive;
    }

    @Test
    @DisplayName("P02 a second implementation of higher rank changes nothing for a running guest until it is asked for")
    void secondImplementation() throws Exception {
        MmuFactory real = context.getService(context.getServiceReferences(MmuFactory.class, "(mmu.name=shadow)").iterator().next());
        Machine machine = machine();
        machine.run(100_000);
        String first = machine.mmuBundle();
        Dictionary<String, Object> properties = new Hashtable<>();
        properties.put(MmuFactory.MMU_NAME, "shadow");
        properties.put(MmuFactory.MMU_DIMENSIONS, 1);
        properties.put(Constants.SERVICE_RANKING, 1000);
        ServiceRegistration<MmuFactory> second = context.registerService(MmuFactory.class, new ForgetfulShadow(real), properties);
        try {
            machine.run(100_000);
            assertThat(machine.mmuBundle()).isEqualTo(first);
            assertThat(machine.hotSwap().reports()).isEmpty();
            machine.hotSwap().swap("shadow", Map.of());
            assertThat(machine.mmuBundle()).startsWith("org.penumbra.itest");
        } finally {
            second.unregister();
        }
        assertThat(machine.hotSwap().waiting()).isFalse();
        assertThat(machine.mmuBundle()).isEqualTo(first);
        machine.close();
    }

    @Test
    @DisplayName("P02 while the going of a service waits for the gate, no lock of the framework is held: other bundles stop and start, services come and go")
    void noFrameworkLock() throws Exception {
        Machine machine = machine();
        machine.run(50_000);
        CountDownLatch inside = new CountDownLatch(1);
        CountDownLatch go = new CountDownLatch(1);
        Thread slow = new Thread(() -> machine.hotSwap().audit(problem -> {}), "unused");
        // An audit under a closed gate that takes its time: the swap lock is held, so the stop has to wait.
        ServiceRegistration<MmuFactory> waiting = context.registerService(MmuFactory.class, new SlowAudit(inside, go), named("slow"));
        machine.hotSwap().swap("slow", Map.of());
        slow.start();
        assertThat(inside.await(5, TimeUnit.SECONDS)).isTrue();
        Thread stopper = new Thread(waiting::unregister, "stopper");
        stopper.start();
        stopper.join(200);
        assertThat(stopper.isAlive()).as("unregister waits until the MMU is closed").isTrue();
        long start = System.nanoTime();
        for (Bundle b : context.getBundles()) {
            if (b.getSymbolicName().equals("org.penumbra.ept")) {
                b.stop();
                b.start();
            }
        }
        context.registerService(Runnable.class, () -> {}, null).unregister();
        assertThat(TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start)).isLessThan(2_000);
        assertThat(stopper.isAlive()).isTrue();
        go.countDown();
        stopper.join(10_000);
        assertThat(stopper.isAlive()).isFalse();
        assertThat(machine.hotSwap().waiting()).isTrue();
        machine.hotSwap().swap("shadow", Map.of());
        assertThat(machine.run(1_000)).isTrue();
        machine.close();
    }

    private static Dictionary<String, Object> named(String name) {
        Dictionary<String, Object> properties = new Hashtable<>();
        properties.put(MmuFactory.MMU_NAME, name);
        properties.put(MmuFactory.MMU_DIMENSIONS, 1);
        return properties;
    }
}
