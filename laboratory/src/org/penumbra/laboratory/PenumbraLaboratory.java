package org.penumbra.laboratory;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Hashtable;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleException;
import org.osgi.framework.Constants;
import org.osgi.framework.InvalidSyntaxException;
import org.osgi.framework.ServiceReference;
import org.osgi.framework.ServiceRegistration;
import org.osgi.framework.launch.Framework;
import org.osgi.framework.launch.FrameworkFactory;
import org.penumbra.api.clock.CostProfiles;
import org.penumbra.api.cpu.EngineFactory;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MachineFactory;
import org.penumbra.api.mmu.MmuFactory;
import org.penumbra.api.observe.TranslationCheckerFactory;
import org.penumbra.testkit.SpecificationCheckerFactory;
import org.penumbra.testkit.contract.Laboratory;
import org.penumbra.testkit.contract.Subject;
import org.penumbra.testkit.script.ScriptEngineFactory;

/**
 * Penumbra's processor, hypervisor and devices in an OSGi framework of their own, inside the Java machine that runs the tests. They are
 * the bundles that run in the container; the API comes from the class path, so that objects of the tests are services to them. Any thread.
 */
public final class PenumbraLaboratory implements Laboratory, AutoCloseable {
    private static final List<String> SHARED =
            List.of("org.penumbra.api", "org.eclipse.collections.api", "org.eclipse.collections.impl");
    private static final List<String> RUNNING = List.of(
            "org.osgi.util.function", "org.osgi.util.promise", "org.osgi.service.component", "org.apache.felix.scr",
            "com.fasterxml.jackson.core.jackson-annotations", "com.fasterxml.jackson.core.jackson-core",
            "com.fasterxml.jackson.core.jackson-databind", "org.penumbra.hardware", "org.penumbra.devices", "org.penumbra.vmx");
    private static final long PATIENCE_SECONDS = 20;

    private final Path cache;
    private final Framework framework;
    private final BundleContext context;

    /**
     * Starts it.
     *
     * @throws IllegalStateException if a bundle is missing on the class path or does not start
     */
    public PenumbraLaboratory() {
        try {
            ClassPathBundles classPath = new ClassPathBundles(PenumbraLaboratory.class.getClassLoader());
            cache = Files.createTempDirectory("penumbra-laboratory");
            Map<String, String> configuration = Map.of(
                    Constants.FRAMEWORK_STORAGE, cache.toString(),
                    Constants.FRAMEWORK_SYSTEMPACKAGES_EXTRA, SHARED.stream().map(classPath::exports).collect(Collectors.joining(",")));
            framework = ServiceLoader.load(FrameworkFactory.class, PenumbraLaboratory.class.getClassLoader()).findFirst()
                    .orElseThrow(() -> new IllegalStateException("no OSGi framework is on the class path")).newFramework(configuration);
            framework.start();
            context = framework.getBundleContext();
            List<Bundle> bundles = new ArrayList<>();
            for (String name : RUNNING) {
                bundles.add(context.installBundle(classPath.location(name)));
            }
            for (Bundle bundle : bundles) {
                bundle.start();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (BundleException e) {
            throw new IllegalStateException("the laboratory does not start: " + e.getMessage(), e);
        }
        offer(EngineFactory.class, new ScriptEngineFactory(), Map.of(EngineFactory.ENGINE_NAME, ScriptEngineFactory.NAME));
        offer(TranslationCheckerFactory.class, new SpecificationCheckerFactory(), Map.of());
    }

    /** {@code design} as what the contract test kit judges, called {@code name}, with its settings at their defaults. */
    public Subject subject(String name, MmuFactory design) {
        return new Subject(name, design, Map.of(), this, Subject.models(service(CostProfiles.class, null)));
    }

    /** Makes {@code service} a service with {@code properties} until what is answered is closed. */
    public <T> Installed offer(Class<T> type, T service, Map<String, ?> properties) {
        ServiceRegistration<T> registration = context.registerService(type, service, new Hashtable<>(properties));
        return registration::unregister;
    }

    /**
     * The service of {@code type} that {@code filter} selects.
     *
     * @param filter an OSGi filter, or null for any
     * @throws IllegalStateException if there is none after some seconds
     */
    public <T> T service(Class<T> type, String filter) {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        try {
            while (System.nanoTime() < end) {
                for (ServiceReference<T> reference : context.getServiceReferences(type, filter)) {
                    T service = context.getService(reference);
                    if (service != null) {
                        return service;
                    }
                }
                Thread.sleep(10);
            }
        } catch (InvalidSyntaxException e) {
            throw new IllegalArgumentException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        throw new IllegalStateException("the laboratory has no service " + type.getName() + (filter == null ? "" : " with " + filter));
    }

    @Override
    public Installed install(String name, MmuFactory design) {
        return offer(MmuFactory.class, design, Map.of(MmuFactory.MMU_NAME, name));
    }

    @Override
    public Machine create(MachineConfig config, GuestBoot guest) {
        return service(MachineFactory.class, "(" + MachineFactory.MACHINE_KIND + "=" + MachineFactory.VMX + ")").create(config, guest);
    }

    /** Stops everything. Machines of it are to be closed before. */
    @Override
    public void close() {
        try {
            framework.stop();
            framework.waitForStop(TimeUnit.SECONDS.toMillis(PATIENCE_SECONDS));
            try (Stream<Path> files = Files.walk(cache)) {
                for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                    Files.delete(file);
                }
            }
        } catch (BundleException e) {
            throw new IllegalStateException("the laboratory does not stop: " + e.getMessage(), e);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
