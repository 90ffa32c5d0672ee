package org.penumbra.shell;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.Constants;
import org.osgi.framework.InvalidSyntaxException;
import org.osgi.framework.ServiceReference;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.penumbra.api.mmu.MmuFactory;
import org.penumbra.api.plugin.PluginTools;

/**
 * Bundles and named services of the container as they are at the moment of the call. Nothing is held: what is looked up is let go
 * of before the call returns, so that the shell keeps no plugin alive. Any thread.
 */
@Component(service = Container.class)
public final class Container {
    private final BundleContext context;
    private final PluginTools tools;
    /** Who published a design last: a stopped bundle can then be started by the name of its design. */
    private final Map<String, Long> publishers = new ConcurrentHashMap<>();

    @Activate
    public Container(BundleContext context, @Reference PluginTools tools) {
        this.context = context;
        this.tools = tools;
    }

    BundleContext context() {
        return context;
    }

    /** Why {@code jar} is not to be installed, a line each; empty if it is fine. */
    List<String> objections(Path jar) {
        return tools.objections(jar);
    }

    /** The values of {@code property} among the services of {@code type}: sorted, each once. */
    Collection<String> names(Class<?> type, String property) {
        Collection<String> names = new TreeSet<>();
        references(type).forEach(r -> names.add(String.valueOf(r.getProperty(property))));
        return names;
    }

    /**
     * {@code reader} applied to each service of {@code type} with its reference, the highest ranking first. The service is let go
     * of afterwards.
     */
    <T, R> List<R> each(Class<T> type, Function<ServiceReference<T>, Function<T, R>> reader) {
        List<R> results = new ArrayList<>();
        for (ServiceReference<T> reference : references(type)) {
            T service = context.getService(reference);
            if (service != null) {
                try {
                    results.add(reader.apply(reference).apply(service));
                } finally {
                    context.ungetService(reference);
                }
            }
        }
        return results;
    }

    /** The services of {@code type}, the highest ranking first. */
    <T> List<ServiceReference<T>> references(Class<T> type) {
        try {
            List<ServiceReference<T>> found = new ArrayList<>(context.getServiceReferences(type, null));
            found.sort(Comparator.reverseOrder());
            return found;
        } catch (InvalidSyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    /** All bundles, by id. */
    List<Bundle> bundles() {
        return Arrays.stream(context.getBundles()).sorted(Comparator.comparingLong(Bundle::getBundleId)).toList();
    }

    /** The designs that {@code bundle} publishes now. */
    List<String> designs(Bundle bundle) {
        List<String> designs = new ArrayList<>();
        for (ServiceReference<MmuFactory> r : references(MmuFactory.class)) {
            if (bundle.equals(r.getBundle())) {
                String design = String.valueOf(r.getProperty(MmuFactory.MMU_NAME));
                publishers.put(design, bundle.getBundleId());
                designs.add(design);
            }
        }
        designs.sort(Comparator.naturalOrder());
        return designs;
    }

    /**
     * The bundle that a person means: by its id, its symbolic name, or a design that it publishes or published until it was
     * stopped.
     */
    Bundle bundle(String given) {
        List<Bundle> all = bundles();
        all.forEach(this::designs);
        Optional<Bundle> byId = all.stream().filter(b -> String.valueOf(b.getBundleId()).equals(given)).findFirst();
        if (byId.isPresent()) {
            return byId.get();
        }
        List<Bundle> byName = all.stream().filter(b -> given.equals(b.getSymbolicName())).toList();
        List<Bundle> found = byName.isEmpty() ? all.stream().filter(b -> designs(b).contains(given)).toList() : byName;
        if (found.size() > 1) {
            throw new UserError("'" + given + "' can be any of " + String.join(", ",
                    found.stream().map(b -> b.getBundleId() + " (" + title(b) + ")").toList()) + "; say which by its number");
        }
        if (found.isEmpty() && publishers.containsKey(given)) {
            found = all.stream().filter(b -> b.getBundleId() == publishers.get(given)).toList();
        }
        if (found.isEmpty()) {
            throw new UserError(Names.unknown("bundle", given, bundleNames()).getMessage().replaceFirst("known: .*",
                    "'bundles' lists them; a number, a symbolic name or a design will do"));
        }
        return found.get(0);
    }

    /** Everything by which a bundle can be named, ids apart. */
    Collection<String> bundleNames() {
        Collection<String> names = new TreeSet<>();
        for (Bundle b : bundles()) {
            if (b.getSymbolicName() != null) {
                names.add(b.getSymbolicName());
            }
            names.addAll(designs(b));
        }
        publishers.forEach((design, id) -> {
            if (context.getBundle(id) != null) {
                names.add(design);
            }
        });
        return names;
    }

    /** "symbolic-name version". */
    static String title(Bundle bundle) {
        return (bundle.getSymbolicName() == null ? bundle.getLocation() : bundle.getSymbolicName()) + " " + bundle.getVersion();
    }

    /** Whether {@code bundle} is a fragment, which cannot be started. */
    static boolean isFragment(Bundle bundle) {
        return bundle.getHeaders("").get(Constants.FRAGMENT_HOST) != null;
    }
}
