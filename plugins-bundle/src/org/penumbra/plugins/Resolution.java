package org.penumbra.plugins;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.osgi.resource.Capability;
import org.osgi.resource.Requirement;
import org.osgi.resource.Resource;
import org.osgi.resource.Wire;
import org.osgi.resource.Wiring;
import org.osgi.service.resolver.HostedCapability;
import org.osgi.service.resolver.ResolutionException;
import org.osgi.service.resolver.ResolveContext;
import org.osgi.service.resolver.Resolver;
import org.penumbra.api.plugin.PluginException;
import aQute.bnd.osgi.resource.ResourceUtils;

/** What has to come along with some bundles, found by the OSGi resolver: their needs are met by a container, or from a repository. */
final class Resolution extends ResolveContext {
    private static final String PLACE = "this container and the repository together";

    private final Environment environment;
    private final List<Resource> repository;
    private final List<Resource> wanted;

    private Resolution(Environment environment, List<Resource> repository, List<Resource> wanted) {
        this.environment = environment;
        this.repository = repository;
        this.wanted = wanted;
    }

    /**
     * The resources of {@code repository} that are to be put into the container: {@code wanted}, and what they need.
     *
     * @throws PluginException if there is no answer, saying what is missing
     */
    static Set<Resource> of(Resolver resolver, Environment environment, List<Resource> repository, List<Resource> wanted) {
        Resolution context = new Resolution(environment, repository, wanted);
        try {
            Map<Resource, List<Wire>> wires = resolver.resolve(context);
            Set<Resource> needed = new LinkedHashSet<>(wires.keySet());
            needed.remove(environment);
            needed.addAll(wanted);
            return needed;
        } catch (ResolutionException e) {
            List<String> missing = new ArrayList<>();
            Set<Resource> seen = new LinkedHashSet<>();
            wanted.forEach(r -> context.explain(r, "", seen, missing));
            throw new PluginException(missing.isEmpty() ? "no set of versions fits: " + String.valueOf(e.getMessage()).replaceAll("\\s*\\R\\s*", " ")
                    : missing.stream().distinct().collect(Collectors.joining("; ")), e);
        }
    }

    /** Adds what nothing meets of the needs of {@code resource}, and of whatever might meet the others. */
    private void explain(Resource resource, String because, Set<Resource> seen, List<String> missing) {
        if (resource == environment || !seen.add(resource)) {
            return;
        }
        String name = ResourceUtils.getIdentity(resource) + " " + ResourceUtils.getVersion(resource);
        List<Requirement> nowhere = new ArrayList<>();
        for (Requirement need : resource.getRequirements(null)) {
            if (!isEffective(need) || !Needs.mandatory(need)) {
                continue;
            }
            List<Capability> providers = findProviders(need);
            if (providers.isEmpty()) {
                nowhere.add(need);
            } else {
                providers.forEach(p -> explain(p.getResource(), ", which " + name + " needs,", seen, missing));
            }
        }
        Collection<Capability> all = new ArrayList<>(environment.getCapabilities(null));
        repository.forEach(r -> all.addAll(r.getCapabilities(null)));
        Needs.lines(nowhere, all, PLACE).forEach(line -> missing.add(name + because + " " + line));
    }

    @Override
    public Collection<Resource> getMandatoryResources() {
        List<Resource> all = new ArrayList<>(wanted);
        all.add(environment);
        return all;
    }

    /** The container's first, then the newest of the repository's. */
    @Override
    public List<Capability> findProviders(Requirement need) {
        List<Capability> found = new ArrayList<>();
        for (Capability c : environment.getCapabilities(need.getNamespace())) {
            if (ResourceUtils.matches(need, c)) {
                found.add(c);
            }
        }
        for (Resource r : repository) {
            boolean otherVersion = wanted.stream().anyMatch(w -> w != r && ResourceUtils.getIdentity(w).equals(ResourceUtils.getIdentity(r)));
            for (Capability c : r.getCapabilities(need.getNamespace())) {
                if (!otherVersion && ResourceUtils.matches(need, c)) {
                    found.add(c);
                }
            }
        }
        return found;
    }

    @Override
    public int insertHostedCapability(List<Capability> capabilities, HostedCapability hosted) {
        capabilities.add(hosted);
        return capabilities.size() - 1;
    }

    /** Services that components cannot do without count, too. */
    @Override
    public boolean isEffective(Requirement need) {
        return true;
    }

    @Override
    public Map<Resource, Wiring> getWirings() {
        return Map.of();
    }
}
