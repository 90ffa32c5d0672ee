package org.penumbra.itest;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.ref.WeakReference;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.felix.fileinstall.ArtifactInstaller;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.wiring.BundleWiring;
import org.osgi.test.common.annotation.InjectService;
import org.penumbra.api.clock.CostProfiles;
import org.penumbra.api.experiment.Workload;
import org.penumbra.api.machine.HotSwap;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MachineFactory;

/**
 * A plugin comes as a jar, is replaced by newer jars, and goes, while a checked guest runs under it. How often is set by the environment variable PENUMBRA_HOT_LOADS.
 */
class HotLoadTest {
    private static final int ROUNDS = Integer.parseInt(System.getenv().getOrDefault("PENUMBRA_HOT_LOADS", "40"));
    /** From here on it is told how it goes. */
    private static final int LONG = 1_000;
    private static final int PARTS = 10;
    private static final int VERSIONS = 3;
    private static final int WARM_UP = 20;

    @TempDir
    Path folder;

    private final BundleContext context = FrameworkUtil.getBundle(HotLoadTest.class).getBundleContext();
    private final List<WeakReference<ClassLoader>> loaders = new ArrayList<>();
    private final List<byte[]> versions = new ArrayList<>();

    @InjectService(filter = "(machine.kind=vmx)")
    MachineFactory vmx;

    @InjectService
    CostProfiles profiles;

    @InjectService(filter = "(workload.name=fork-heavy)")
    Workload forks;

    /** The folder of plugins, to which jars are told as its watcher would. */
    @InjectService(filter = "(component.name=org.penumbra.shell.PluginFolder)")
    ArtifactInstaller plugins;

    private Bundle find(String name) {
        return Arrays.stream(context.getBundles()).filter(b -> name.equals(b.getSymbolicName())).findFirst().orElse(null);
    }

    private Machine machine() {
        return vmx.create(new MachineConfig(64 << 20, 1, profiles.all().get(0), "shadow", Map.of(), true), forks.prepare(1));
    }

    @Test
    @DisplayName("P08 a jar comes, a newer one replaces it in place, and it goes, under a guest that runs under its design and gets the previous one back; P03 and nothing of it stays")
    void rounds() throws Exception {
        for (int i = 0; i < VERSIONS; i++) {
            versions.add(VisitorJar.version(i));
        }
        try (GuestRunner runner = new GuestRunner(this::machine)) {
            rounds(runner, WARM_UP);
            Footprint before = Footprint.now();
            tell(runner, before);
            for (int i = 0; i < PARTS; i++) {
                rounds(runner, ROUNDS / PARTS);
                tell(runner, Footprint.now());
            }
            Footprint.now().assertNoLargerThan(before);
            assertThat(loaders).hasSize(2 * (WARM_UP + ROUNDS / PARTS * PARTS));
            assertThat(alive()).as("class loaders of plugins that have gone").isLessThanOrEqualTo(1);
        }
    }

    /** In the long setting, how it goes. */
    private void tell(GuestRunner runner, Footprint footprint) {
        if (ROUNDS >= LONG) {
            System.err.printf("%,d loads: %s, %,d of their class loaders alive; %,d guests to their end, %,d translations compared%n", loaders.size(),
                    footprint, loaders.stream().filter(l -> l.get() != null).count(), runner.guests(), runner.translations());
        }
    }

    private void rounds(GuestRunner runner, int n) throws Exception {
        Path jar = folder.resolve("visitor.jar");
        for (int i = 0; i < n; i++) {
            synchronized (runner) {
                HotSwap guest = runner.machine().hotSwap();
                assertThat(guest.design()).isEqualTo("shadow");
                plugins.install(Files.write(jar, versions.get(i % VERSIONS)).toFile());
                note("1.0." + i % VERSIONS);
                guest.swap("visitor", Map.of());
                progress(runner);
                plugins.update(Files.write(jar, versions.get((i + 1) % VERSIONS)).toFile());
                note("1.0." + (i + 1) % VERSIONS);
                assertThat(guest.design()).isEqualTo("visitor");
                assertThat(guest.waiting()).isFalse();
                progress(runner);
                plugins.uninstall(jar.toFile());
                assertThat(find(VisitorJar.NAME)).isNull();
                assertThat(guest.design()).isEqualTo("shadow");
                assertThat(guest.waiting()).isFalse();
                List<String> violations = new ArrayList<>();
                guest.audit(violations::add);
                assertThat(violations).isEmpty();
                progress(runner);
            }
            assertThat(runner.failure()).isNull();
        }
    }

    /** Returns when the guest has done something, or is at its end. */
    private static void progress(GuestRunner runner) throws InterruptedException {
        Machine machine = runner.machine();
        long before = machine.operations();
        for (int i = 0; i < 5 && machine.operations() == before && runner.failure() == null; i++) {
            Thread.sleep(1);
        }
    }

    private void note(String version) {
        Bundle bundle = find(VisitorJar.NAME);
        assertThat(bundle.getVersion()).hasToString(version);
        assertThat(bundle.getState()).isEqualTo(Bundle.ACTIVE);
        loaders.add(new WeakReference<>(bundle.adapt(BundleWiring.class).getClassLoader()));
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
}
