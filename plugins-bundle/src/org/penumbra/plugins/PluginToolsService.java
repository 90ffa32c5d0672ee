package org.penumbra.plugins;

import java.net.URI;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import org.osgi.framework.BundleContext;
import org.osgi.resource.Resource;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.resolver.Resolver;
import org.penumbra.api.plugin.PluginException;
import org.penumbra.api.plugin.PluginTools;
import aQute.bnd.osgi.resource.ResourceUtils;
import aQute.bnd.version.Version;

/** The service, over the container that it runs in. */
@Component
public final class PluginToolsService implements PluginTools {
    /** By the location below which bundles do not count. */
    private final Function<String, Environment> environment;
    private final Resolver resolver;

    @Activate
    public PluginToolsService(BundleContext context, @Reference Resolver resolver) {
        this(except -> Environment.of(context, except), resolver);
    }

    PluginToolsService(Function<String, Environment> environment, Resolver resolver) {
        this.environment = environment;
        this.resolver = resolver;
    }

    @Override
    public List<String> kinds() {
        return Templates.kinds();
    }

    @Override
    public List<Path> create(Project project) {
        return Templates.create(project);
    }

    @Override
    public List<String> objections(Path jar) {
        try {
            return new BundleJar(jar).objections(environment.apply("").getCapabilities(null));
        } catch (PluginException e) {
            return List.of(e.getMessage());
        }
    }

    @Override
    public void publish(Path index, List<Path> jars) {
        RepositoryIndex.write(index, jars);
    }

    @Override
    public List<Offer> search(List<URI> indexes, List<String> words) {
        return RepositoryIndex.read(indexes).stream().map(RepositoryIndex::offer)
                .filter(o -> words.stream().allMatch(w -> text(o).contains(w.toLowerCase(Locale.ROOT)))).toList();
    }

    private static String text(Offer offer) {
        return (offer.name() + " " + offer.description() + " " + String.join(" ", offer.designs())).toLowerCase(Locale.ROOT);
    }

    @Override
    public List<Change> install(List<URI> indexes, List<String> names, Path folder) {
        PluginStore store = new PluginStore(folder);
        List<Resource> repository = RepositoryIndex.read(indexes);
        List<Resource> wanted = names.stream().map(name -> newest(repository, name)).toList();
        return store.put(needed(repository, wanted, folder));
    }

    @Override
    public List<Change> update(List<URI> indexes, List<String> names, Path folder) {
        PluginStore store = new PluginStore(folder);
        List<Resource> repository = RepositoryIndex.read(indexes);
        Map<String, BundleJar> there = store.bundles();
        List<Change> changes = new ArrayList<>();
        List<Resource> newer = new ArrayList<>();
        for (String name : names.isEmpty() ? List.copyOf(there.keySet()) : names) {
            BundleJar jar = there.get(name);
            if (jar == null) {
                throw new PluginException("'" + folder + "' has no plugin '" + name + "'; 'install' brings it");
            }
            Version now = Version.parseVersion(jar.version());
            Resource found = repository.stream().filter(r -> ResourceUtils.getIdentity(r).equals(name)).findFirst().orElse(null);
            if (found != null && ResourceUtils.getVersion(found).compareTo(now) > 0) {
                newer.add(found);
            } else {
                changes.add(new Change("unchanged", name, now.toString(), jar.path()));
            }
        }
        if (!newer.isEmpty()) {
            changes.addAll(0, store.put(needed(repository, newer, folder)));
        }
        return changes;
    }

    @Override
    public List<Change> remove(List<String> names, Path folder) {
        return new PluginStore(folder).remove(names);
    }

    /** What bundles of the folder itself offer in this container does not count: it may be about to be replaced. */
    private List<Resource> needed(List<Resource> repository, List<Resource> wanted, Path folder) {
        Environment there = environment.apply(folder.toAbsolutePath().normalize().toUri().toString());
        return List.copyOf(Resolution.of(resolver, there, repository, wanted));
    }

    /** By its name, or by that of a design that it brings. */
    private static Resource newest(List<Resource> repository, String name) {
        Set<String> known = new TreeSet<>();
        Map<String, Resource> found = new LinkedHashMap<>();
        for (Resource r : repository) {
            Offer offer = RepositoryIndex.offer(r);
            known.add(offer.name());
            if (offer.name().equals(name) || offer.designs().contains(name)) {
                found.putIfAbsent(offer.name(), r);
            }
        }
        if (found.isEmpty()) {
            throw new PluginException("no index has a plugin or a design '" + name + "'; there are " + (known.isEmpty() ? "none" : String.join(", ", known)));
        }
        if (found.size() > 1) {
            throw new PluginException("'" + name + "' is a design of " + String.join(" and of ", found.keySet()) + "; name one of these");
        }
        return found.values().iterator().next();
    }
}
