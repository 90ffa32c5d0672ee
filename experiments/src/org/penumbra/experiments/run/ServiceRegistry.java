package org.penumbra.experiments.run;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Supplier;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.Constants;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.penumbra.api.clock.CostProfiles;
import org.penumbra.api.experiment.Workload;
import org.penumbra.api.machine.MachineFactory;
import org.penumbra.api.mmu.MmuFactory;
import org.penumbra.api.verify.DesignCheck;
import org.penumbra.api.verify.Verification;

/**
 * What the container offers at this moment. Services come and go while it is used; every list is a snapshot, sorted by name.
 * Any thread.
 */
@Component(service = ServiceRegistry.class)
public final class ServiceRegistry {
    /** A bundle of the container. */
    public record BundleVersion(String name, String version) {}

    /**
     * A service that a user selects by name.
     *
     * @param bundle the bundle that publishes it, as "symbolic-name version"
     */
    public record Named<T>(String name, T service, String bundle) {}

    private final Supplier<List<InstalledBundle>> bundles;
    private final Map<Registration, Named<?>> services = Collections.synchronizedMap(new HashMap<>());

    /** One registration of an object, which may be registered more than once, under different names. */
    private record Registration(Object service, Object id) {
        @Override
        public boolean equals(Object other) {
            return other instanceof Registration that && service == that.service && Objects.equals(id, that.id);
        }

        @Override
        public int hashCode() {
            return System.identityHashCode(service);
        }
    }

    /** A bundle with the id by which its services name it. */
    record InstalledBundle(long id, BundleVersion version) {}

    @Activate
    public ServiceRegistry(BundleContext context) {
        this(() -> Arrays.stream(context.getBundles())
                .map(b -> new InstalledBundle(b.getBundleId(), new BundleVersion(name(b), b.getVersion().toString())))
                .toList());
    }

    /** The framework takes a jar for a bundle even if it has no name. */
    private static String name(Bundle bundle) {
        return bundle.getSymbolicName() == null ? bundle.getLocation() : bundle.getSymbolicName();
    }

    ServiceRegistry(Supplier<List<InstalledBundle>> bundles) {
        this.bundles = bundles;
    }

    /** The MMU designs, by {@code mmu.name}. Two of one name are both in the list. */
    public List<Named<MmuFactory>> mmus() {
        return all(MmuFactory.class);
    }

    /** The workloads, by {@code workload.name}. Two of one name are both in the list. */
    public List<Named<Workload>> workloads() {
        return all(Workload.class);
    }

    /** The verifications, by {@code verification.name}. */
    public List<Named<Verification>> verifications() {
        return all(Verification.class);
    }

    /** Checks of whole designs. */
    public List<Named<DesignCheck>> checks() {
        return all(DesignCheck.class);
    }

    /** The factory of machines of {@code kind}. */
    public Optional<MachineFactory> machineFactory(String kind) {
        return all(MachineFactory.class).stream().filter(n -> n.name().equals(kind)).map(Named::service).findFirst();
    }

    /** The processor models. */
    public Optional<CostProfiles> costProfiles() {
        return all(CostProfiles.class).stream().map(Named::service).findFirst();
    }

    /** Every bundle of the container. */
    public List<BundleVersion> bundles() {
        return bundles.get().stream().map(InstalledBundle::version)
                .sorted(Comparator.comparing(BundleVersion::name).thenComparing(BundleVersion::version)).toList();
    }

    /** The version of this bundle. */
    public String version() {
        return bundles().stream().filter(b -> b.name().equals("org.penumbra.experiments")).map(BundleVersion::version)
                .findFirst().orElse("?");
    }

    @Reference(cardinality = ReferenceCardinality.MULTIPLE, policy = ReferencePolicy.DYNAMIC)
    void bindMmu(MmuFactory service, Map<String, Object> properties) {
        add(service, MmuFactory.MMU_NAME, properties);
    }

    void unbindMmu(MmuFactory service, Map<String, Object> properties) {
        services.remove(new Registration(service, properties.get(Constants.SERVICE_ID)));
    }

    @Reference(cardinality = ReferenceCardinality.MULTIPLE, policy = ReferencePolicy.DYNAMIC)
    void bindWorkload(Workload service, Map<String, Object> properties) {
        add(service, Workload.WORKLOAD_NAME, properties);
    }

    void unbindWorkload(Workload service, Map<String, Object> properties) {
        services.remove(new Registration(service, properties.get(Constants.SERVICE_ID)));
    }

    @Reference(cardinality = ReferenceCardinality.MULTIPLE, policy = ReferencePolicy.DYNAMIC)
    void bindVerification(Verification service, Map<String, Object> properties) {
        add(service, Verification.VERIFICATION_NAME, properties);
    }

    void unbindVerification(Verification service, Map<String, Object> properties) {
        services.remove(new Registration(service, properties.get(Constants.SERVICE_ID)));
    }

    @Reference(cardinality = ReferenceCardinality.MULTIPLE, policy = ReferencePolicy.DYNAMIC)
    void bindCheck(DesignCheck service, Map<String, Object> properties) {
        add(service, DesignCheck.CHECK_NAME, properties);
    }

    void unbindCheck(DesignCheck service, Map<String, Object> properties) {
        services.remove(new Registration(service, properties.get(Constants.SERVICE_ID)));
    }

    @Reference(cardinality = ReferenceCardinality.MULTIPLE, policy = ReferencePolicy.DYNAMIC)
    void bindMachineFactory(MachineFactory service, Map<String, Object> properties) {
        add(service, MachineFactory.MACHINE_KIND, properties);
    }

    void unbindMachineFactory(MachineFactory service, Map<String, Object> properties) {
        services.remove(new Registration(service, properties.get(Constants.SERVICE_ID)));
    }

    @Reference(cardinality = ReferenceCardinality.MULTIPLE, policy = ReferencePolicy.DYNAMIC)
    void bindCostProfiles(CostProfiles service, Map<String, Object> properties) {
        add(service, Constants.SERVICE_ID, properties);
    }

    void unbindCostProfiles(CostProfiles service, Map<String, Object> properties) {
        services.remove(new Registration(service, properties.get(Constants.SERVICE_ID)));
    }

    private void add(Object service, String nameProperty, Map<String, Object> properties) {
        Object id = properties.get(Constants.SERVICE_BUNDLEID);
        String bundle = bundles.get().stream().filter(b -> id instanceof Long && b.id() == (Long) id)
                .map(b -> b.version().name() + " " + b.version().version()).findFirst().orElse("");
        services.put(new Registration(service, properties.get(Constants.SERVICE_ID)), new Named<>(String.valueOf(properties.get(nameProperty)), service, bundle));
    }

    private <T> List<Named<T>> all(Class<T> type) {
        List<Named<T>> found = new ArrayList<>();
        synchronized (services) {
            for (Named<?> n : services.values()) {
                if (type.isInstance(n.service())) {
                    found.add(new Named<>(n.name(), type.cast(n.service()), n.bundle()));
                }
            }
        }
        found.sort(Comparator.comparing((Named<T> n) -> n.name()).thenComparing(Named::bundle));
        return found;
    }
}
