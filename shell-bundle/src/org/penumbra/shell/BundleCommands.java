package org.penumbra.shell;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.apache.felix.service.command.CommandSession;
import org.apache.felix.service.command.Descriptor;
import org.osgi.framework.Bundle;
import org.osgi.framework.Constants;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.penumbra.api.mmu.MmuFactory;

/** Commands on designs and the bundles that bring them. */
@Component(service = BundleCommands.class, property = {
    "osgi.command.scope=penumbra", "osgi.command.function=designs", "osgi.command.function=bundles",
    "osgi.command.function=start", "osgi.command.function=stop", "osgi.command.function=update",
    "osgi.command.function=install", "osgi.command.function=uninstall"
})
public final class BundleCommands {
    private final Container container;
    private final BundleJars jars;

    @Activate
    public BundleCommands(@Reference Container container) {
        this.container = container;
        this.jars = new BundleJars(container);
    }

    @Descriptor("lists the MMU designs that bundles offer")
    public List<DesignInfo> designs() {
        List<DesignInfo> designs = new ArrayList<>(container.each(MmuFactory.class, r -> s -> new DesignInfo(
                String.valueOf(r.getProperty(MmuFactory.MMU_NAME)),
                r.getProperty(MmuFactory.MMU_DIMENSIONS) instanceof Number n ? n.intValue() : 0, r.getBundle().getBundleId(),
                r.getBundle().getSymbolicName(), r.getBundle().getVersion().toString(), s.description())));
        designs.sort(Comparator.comparing(DesignInfo::name));
        return designs;
    }

    @Descriptor("lists the bundles of the container, with the designs that they offer")
    public List<BundleInfo> bundles() {
        List<BundleInfo> infos = new ArrayList<>();
        container.bundles().forEach(b -> infos.add(info(b)));
        return infos;
    }

    @Descriptor("starts a bundle")
    public BundleInfo start(@Descriptor("BUNDLE number, symbolic name or design") String bundle) {
        Bundle b = container.bundle(bundle);
        jars.start(b);
        return info(b);
    }

    @Descriptor("stops a bundle; guests that run under its design wait until it or another takes over")
    public BundleInfo stop(@Descriptor("BUNDLE number, symbolic name or design") String bundle) {
        Bundle b = container.bundle(bundle);
        keepContainer(b);
        jars.stop(b);
        return info(b);
    }

    @Descriptor("replaces the content of a bundle, and starts it again")
    public BundleInfo update(
            CommandSession session, @Descriptor("BUNDLE number, symbolic name or design") String bundle,
            @Descriptor("[JAR] the new content; the jar it came from if left out") String... jar) {
        if (jar.length > 1) {
            throw new UserError("update takes one jar at most, not " + jar.length);
        }
        Bundle b = container.bundle(bundle);
        keepContainer(b);
        jars.update(b, jar.length == 0 ? null : Arguments.file(session, jar[0]));
        return info(b);
    }

    @Descriptor("installs the bundle in a jar and starts it")
    public BundleInfo install(CommandSession session, @Descriptor("JAR the file") String jar) {
        return info(jars.install(Arguments.file(session, jar)));
    }

    @Descriptor("removes a bundle")
    public BundleInfo uninstall(@Descriptor("BUNDLE number, symbolic name or design") String bundle) {
        Bundle b = container.bundle(bundle);
        keepContainer(b);
        BundleInfo before = info(b);
        jars.uninstall(b);
        return new BundleInfo(before.id(), before.name(), before.version(), state(b), "");
    }

    private static void keepContainer(Bundle bundle) {
        if (bundle.getBundleId() == Constants.SYSTEM_BUNDLE_ID) {
            throw new UserError("bundle 0 is the container itself; 'exit' leaves");
        }
    }

    private BundleInfo info(Bundle bundle) {
        return new BundleInfo(bundle.getBundleId(), bundle.getSymbolicName(), bundle.getVersion().toString(), state(bundle),
                String.join(",", container.designs(bundle)));
    }

    private static String state(Bundle bundle) {
        return switch (bundle.getState()) {
            case Bundle.ACTIVE -> "active";
            case Bundle.INSTALLED -> "installed";
            case Bundle.RESOLVED -> Container.isFragment(bundle) ? "fragment" : "stopped";
            case Bundle.STARTING -> "starting";
            case Bundle.STOPPING -> "stopping";
            default -> "uninstalled";
        };
    }
}
