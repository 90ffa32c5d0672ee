package org.penumbra.plugins;

import java.util.ArrayList;
import java.util.List;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.wiring.BundleCapability;
import org.osgi.framework.wiring.BundleRevision;
import org.osgi.resource.Capability;
import org.osgi.resource.Requirement;
import org.osgi.resource.Resource;
import aQute.bnd.osgi.resource.CapReqBuilder;

/** What a container has, as one resource that needs nothing. Immutable. */
final class Environment implements Resource {
    private final List<Capability> capabilities = new ArrayList<>();

    /** @param there capabilities of all that runs in the container */
    Environment(List<? extends Capability> there) {
        for (Capability c : there) {
            capabilities.add(new CapReqBuilder(c.getNamespace()).addAttributes(c.getAttributes()).addDirectives(c.getDirectives())
                    .setResource(this).buildCapability());
        }
    }

    /** That of the framework behind {@code context}. Bundles that lie in {@code except} or below are not counted. */
    static Environment of(BundleContext context, String except) {
        List<BundleCapability> there = new ArrayList<>();
        for (Bundle bundle : context.getBundles()) {
            BundleRevision revision = bundle.adapt(BundleRevision.class);
            if (revision != null && (except.isEmpty() || !bundle.getLocation().startsWith(except))) {
                there.addAll(revision.getDeclaredCapabilities(null));
            }
        }
        return new Environment(there);
    }

    @Override
    public List<Capability> getCapabilities(String namespace) {
        return namespace == null ? capabilities : capabilities.stream().filter(c -> c.getNamespace().equals(namespace)).toList();
    }

    @Override
    public List<Requirement> getRequirements(String namespace) {
        return List.of();
    }
}
