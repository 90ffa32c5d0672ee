package org.penumbra.experiments.run;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.mmu.MmuFactory;
import org.penumbra.experiments.run.ServiceRegistry.Named;

class ServiceRegistryTest {
    private final FakeContainer container = new FakeContainer();

    @Test
    @DisplayName("services come with the bundle that publishes them, sorted by name")
    void named() {
        assertThat(container.registry.mmus()).extracting(Named::name).containsExactly("ept", "shadow");
        assertThat(container.registry.mmus()).extracting(Named::bundle).containsOnly("org.penumbra.fake 1.2.3");
        assertThat(container.registry.version()).isEqualTo("0.1.0");
    }

    @Test
    @DisplayName("services come and go; of two with one name the right one goes")
    void dynamic() {
        MmuFactory first = container.registry.mmus().get(0).service();
        MmuFactory second = container.mmu("ept");
        assertThat(container.registry.mmus()).extracting(Named::name).containsExactly("ept", "ept", "shadow");
        container.registry.unbindMmu(first, FakeContainer.REGISTERED);
        assertThat(container.registry.mmus()).filteredOn(n -> n.name().equals("ept")).singleElement()
                .satisfies(n -> assertThat(n.service()).isSameAs(second));
        container.registry.unbindMmu(second, FakeContainer.REGISTERED);
        assertThat(container.registry.mmus()).extracting(Named::name).containsExactly("shadow");
    }

    @Test
    @DisplayName("of an object that is registered under two names, one registration goes and the other stays")
    void registeredTwice() {
        MmuFactory factory = container.registry.mmus().get(0).service();
        Map<String, Object> again = Map.of("service.id", 77L, MmuFactory.MMU_NAME, "trial");
        container.registry.bindMmu(factory, again);
        assertThat(container.registry.mmus()).extracting(Named::name).containsExactly("ept", "shadow", "trial");
        container.registry.unbindMmu(factory, again);
        assertThat(container.registry.mmus()).extracting(Named::name).containsExactly("ept", "shadow");
    }
}
