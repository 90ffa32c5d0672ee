package org.penumbra.experiments.workload;

import java.net.URL;
import java.util.Collections;
import java.util.Enumeration;
import java.util.Hashtable;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.penumbra.api.experiment.Workload;

/**
 * Publishes each trace of this bundle's folder {@code traces} as workload {@code trace:NAME}, NAME being the file's name up to
 * its first dot. The framework withdraws the services when the bundle stops.
 */
@Component(service = {}, immediate = true)
public final class BundledTraces {
    private static final String FOLDER = "traces";

    @Activate
    public BundledTraces(BundleContext context) {
        Bundle bundle = context.getBundle();
        Enumeration<URL> files = bundle.findEntries(FOLDER, "*.trace.*", false);
        for (URL file : files == null ? Collections.<URL>emptyList() : Collections.list(files)) {
            String path = file.getPath();
            String base = path.substring(path.lastIndexOf('/') + 1);
            String program = base.substring(0, base.indexOf('.'));
            String name = "trace:" + program;
            Hashtable<String, Object> properties = new Hashtable<>();
            properties.put(Workload.WORKLOAD_NAME, name);
            Workload workload = TraceWorkload.ofSource(name, "a recorded run of " + program, file::openStream, 0);
            context.registerService(Workload.class, workload, properties);
        }
    }
}
