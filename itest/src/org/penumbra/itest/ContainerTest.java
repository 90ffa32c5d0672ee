package org.penumbra.itest;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.Constants;
import org.osgi.framework.wiring.BundleRequirement;
import org.osgi.framework.wiring.BundleRevision;
import org.osgi.service.component.runtime.ServiceComponentRuntime;
import org.osgi.service.component.runtime.dto.ComponentConfigurationDTO;
import org.osgi.service.component.runtime.dto.ComponentDescriptionDTO;
import org.osgi.test.common.annotation.InjectBundleContext;
import org.osgi.test.common.annotation.InjectService;

/** The container itself: everything is up, and the bundles know only the API. */
class ContainerTest {
    /** What the test kit offers to authors of plugins. */
    private static final List<String> CONTRACT = List.of("org.penumbra.testkit.contract", "org.penumbra.testkit.junit");


    /** The bundles that make Penumbra; a new one is added here and in {@code launcher/*.bndrun}. */
    private static final List<String>    BUNDLES    = List.of("org.penumbra.api", "org.penumbra.testkit",
        "org.penumbra.hardware", "org.penumbra.shadow", "org.penumbra.ept", "org.penumbra.vmx", "org.penumbra.devices", "org.penumbra.cpu",
        "org.penumbra.experiments", "org.penumbra.shell");

    @InjectBundleContext
    BundleContext                        context;

    @InjectService
    ServiceComponentRuntime                components;

    @Test
    @DisplayName("every bundle of Penumbra is in the container")
    void present() {
        assertThat(penumbra().map(Bundle::getSymbolicName)).containsAll(BUNDLES);
    }

    @Test
    @DisplayName("every bundle is active")
    void active() {
        assertThat(context.getBundles()).filteredOn(bundle -> bundle.getHeaders("")
            .get(Constants.FRAGMENT_HOST) == null)
            .allSatisfy(bundle -> assertThat(bundle.getState()).as(bundle.getSymbolicName())
                .isEqualTo(Bundle.ACTIVE));
    }

    @Test
    @DisplayName("no component waits for a reference that nobody offers")
    void satisfied() {
        List<String> waiting = new ArrayList<>();
        for (ComponentDescriptionDTO component : components.getComponentDescriptionDTOs()) {
            for (ComponentConfigurationDTO configuration : components.getComponentConfigurationDTOs(component)) {
                if (configuration.state != ComponentConfigurationDTO.ACTIVE
                    && configuration.state != ComponentConfigurationDTO.SATISFIED) {
                    waiting.add(component.name + " waits for " + Arrays.stream(configuration.unsatisfiedReferences)
                        .map(reference -> reference.name + " " + reference.target)
                        .toList() + (configuration.failure == null ? "" : " " + configuration.failure));
                }
            }
        }
        assertThat(waiting).isEmpty();
    }

    @Test
    @DisplayName("no bundle imports a package of another implementation")
    void importsOnlyTheApi() {
        assertThat(penumbra().filter(bundle -> bundle.getBundleId() != context.getBundle()
            .getBundleId())
            .flatMap(bundle -> bundle.adapt(BundleRevision.class)
                .getDeclaredRequirements(BundleRevision.PACKAGE_NAMESPACE)
                .stream()
                .map(ContainerTest::packageName)
                .filter(name -> name.startsWith("org.penumbra.") && !name.startsWith("org.penumbra.api.") && !CONTRACT.contains(name))
                .map(name -> bundle.getSymbolicName() + " imports " + name))).isEmpty();
    }

    @Test
    @DisplayName("no bundle but the API exports a package, and the test kit its contract, which is for authors of plugins")
    void onlyTheApiExports() {
        assertThat(penumbra().filter(bundle -> !bundle.getSymbolicName()
            .equals("org.penumbra.api"))
            .flatMap(bundle -> bundle.adapt(BundleRevision.class)
                .getDeclaredCapabilities(BundleRevision.PACKAGE_NAMESPACE)
                .stream()
                .map(capability -> String.valueOf(capability.getAttributes()
                    .get(BundleRevision.PACKAGE_NAMESPACE))))).containsExactlyInAnyOrderElementsOf(CONTRACT);
    }

    private Stream<Bundle> penumbra() {
        return Arrays.stream(context.getBundles())
            .filter(bundle -> bundle.getSymbolicName()
                .startsWith("org.penumbra."));
    }

    private static String packageName(BundleRequirement requirement) {
        String filter = requirement.getDirectives()
            .get(Constants.FILTER_DIRECTIVE);
        int from = filter.indexOf(BundleRevision.PACKAGE_NAMESPACE + "=") + BundleRevision.PACKAGE_NAMESPACE.length() + 1;
        return filter.substring(from, filter.indexOf(')', from));
    }
}
