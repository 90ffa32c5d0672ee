package org.penumbra.itest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.Constants;
import org.osgi.framework.wiring.BundleRequirement;
import org.osgi.framework.wiring.BundleRevision;
import org.osgi.test.common.annotation.InjectBundleContext;
import org.osgi.test.common.annotation.InjectService;
import org.osgi.test.common.service.ServiceAware;
import org.penumbra.api.clock.CostProfiles;
import org.penumbra.api.experiment.Workload;
import org.penumbra.api.interrupt.Descriptors;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineFactory;
import org.penumbra.api.plugin.PluginTools;
import org.penumbra.api.vmx.ExitReason;

/**
 * The projects that {@code penumbra plugin new} makes, as the build of the examples has built them with plain Maven from published
 * artifacts: each is loaded into the running container and does its work under a guest. They are made by the unit tests of
 * {@code plugins-bundle}; where those were left out, so is this.
 */
class TemplatesTest {
    private static final Path PROJECTS = Path.of(System.getProperty("penumbra.test.projects"));
    private static final String CONTROLLER = "my-interrupt-controller";

    /** Takes back what a test installs. */
    @InjectBundleContext
    BundleContext context;

    @InjectService(filter = "(machine.kind=vmx)")
    MachineFactory vmx;

    @InjectService
    CostProfiles profiles;

    @InjectService
    Descriptors descriptors;

    @InjectService
    PluginTools tools;

    @InjectService
    ServiceAware<Workload> workloads;

    @BeforeEach
    void made() {
        assumeTrue(Files.isDirectory(PROJECTS), "the projects were made, in " + PROJECTS);
    }

    /** The bundle of the project for {@code kind}, started. */
    private Bundle load(String kind) throws Exception {
        Path jar = PROJECTS.resolve(kind).resolve("target").resolve("my-" + kind + "-1.0.0.jar");
        assertThat(tools.objections(jar)).isEmpty();
        Bundle bundle = context.installBundle(jar.toUri().toString());
        BundleRevision revision = bundle.adapt(BundleRevision.class);
        assertThat(revision.getDeclaredRequirements(BundleRevision.PACKAGE_NAMESPACE)).extracting(BundleRequirement::getDirectives)
                .filteredOn(d -> !"optional".equals(d.get(Constants.RESOLUTION_DIRECTIVE))).extracting(d -> d.get(Constants.FILTER_DIRECTIVE))
                .as("needs nothing but the API and Java").allMatch(f -> f.matches(".*osgi.wiring.package=(org\\.penumbra\\.api\\.|java\\.).*"));
        assertThat(revision.getDeclaredCapabilities(BundleRevision.PACKAGE_NAMESPACE)).as("exports").isEmpty();
        bundle.start();
        return bundle;
    }

    private Machine machine(String workload, String design) {
        return Trial.machine(vmx, Trial.skylake(profiles), Trial.workload(workloads, workload), design);
    }

    private static Machine finish(Machine machine) {
        Trial.finish(machine);
        assertThat(machine.checker().complaints()).isEmpty();
        assertThat(machine.checker().wrong()).isZero();
        machine.close();
        return machine;
    }

    private TickingGuest ticking() {
        return new TickingGuest(machine("interrupt-driven", "ept"), descriptors);
    }

    private static void assertSameGuest(Machine machine, Machine alone) {
        assertThat(machine.operations()).isEqualTo(alone.operations());
        assertThat(machine.guestDigest()).isEqualTo(alone.guestDigest());
        assertThat(machine.memoryDigest()).isEqualTo(alone.memoryDigest());
    }

    private static long pages(Machine machine) {
        return machine.exits().rows().stream().filter(r -> r.reason() == ExitReason.INVLPG).mapToLong(r -> r.samples()).sum();
    }

    @Test
    @DisplayName("P05 the MMU of the template, built outside, runs a checked guest, and gives it to another design half way")
    void mmu() throws Exception {
        Machine alone = finish(machine("fork-heavy", "ept"));
        Bundle plugin = load("mmu");
        Machine machine = machine("fork-heavy", "my-mmu");
        machine.run(500_000);
        assertThat(machine.mmuBundle()).isEqualTo("org.example.my 1.0.0");
        machine.hotSwap().swap("shadow", Map.of());
        machine.run(200_000);
        machine.hotSwap().swap("my-mmu", Map.of());
        assertSameGuest(finish(machine), alone);
        plugin.uninstall();
    }

    @Test
    @DisplayName("P05 P04 the exit handler of the template, built outside, takes a running guest's INVLPG exits, and gives them back when it goes")
    void handler() throws Exception {
        Machine alone = finish(machine("mmap-churn", "shadow"));
        Machine machine = machine("mmap-churn", "shadow");
        machine.run(200_000);
        long before = pages(machine);
        Bundle plugin = load("handler");
        machine.run(200_000);
        plugin.uninstall();
        long during = pages(machine) - before;
        finish(machine);
        assertThat(machine.counters().get("my-handler.pages")).isPositive().isEqualTo(during);
        assertThat(pages(machine)).isEqualTo(pages(alone)).isGreaterThan(before + during);
        assertSameGuest(machine, alone);
    }

    @Test
    @DisplayName("P05 P04 the interrupt controller of the template, built outside, goes on from another's state under a running guest, and hands its own on")
    void interruptController() throws Exception {
        TickingGuest alone = ticking();
        alone.finish();
        Bundle plugin = load("interrupt-controller");
        TickingGuest guest = ticking();
        String usual = guest.machine.interrupts().controller();
        for (int i = 0; guest.machine.run(7_777); i++) {
            guest.machine.interrupts().swapController(i % 2 == 0 ? CONTROLLER : usual);
        }
        guest.machine.interrupts().swapController(usual);
        guest.finish();
        plugin.uninstall();
        assertThat(guest.injected()).isPositive().isEqualTo(alone.injected());
        assertSameGuest(guest.machine, alone.machine);
    }

    @Test
    @DisplayName("P05 the workload of the template, built outside, is the same guest under every design")
    void workload() throws Exception {
        Bundle plugin = load("workload");
        Machine first = finish(machine("my-workload", "shadow"));
        for (String design : List.of("ept", "npt")) {
            assertSameGuest(finish(machine("my-workload", design)), first);
        }
        assertThat(first.accesses()).isPositive();
        plugin.uninstall();
    }
}
