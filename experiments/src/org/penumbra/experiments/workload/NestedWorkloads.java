package org.penumbra.experiments.workload;

import java.util.Hashtable;
import java.util.LinkedHashMap;
import java.util.Map;
import org.osgi.framework.BundleContext;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.penumbra.api.experiment.Workload;
import org.penumbra.experiments.guest.HypervisorGuest;

/**
 * Publishes some workloads again as those of a guest's guest, by how its hypervisor virtualises its memory: {@code nested-ept:NAME}, {@code
 * nested-ept-log:NAME}, {@code nested-ept-2m:NAME} and {@code nested-shadow:NAME} by VMX, {@code nested-npt:NAME}, {@code nested-npt-2m:NAME} and {@code
 * nested-svm-shadow:NAME} by SVM. The framework withdraws the services when the bundle stops.
 */
@Component(service = {}, immediate = true)
public final class NestedWorkloads {
    @Activate
    public NestedWorkloads(BundleContext context) {
        Map<String, Workload> inner = new LinkedHashMap<>();
        inner.put("working-set", new WorkingSetWorkload());
        inner.put("fork-heavy", new ForkHeavyWorkload());
        inner.put("table-storm", new PageTableStormWorkload());
        inner.forEach((name, workload) -> {
            publish(context, "nested-ept:" + name, new NestedWorkload(workload, HypervisorGuest.Mmu.EPT));
            publish(context, "nested-ept-log:" + name, new NestedWorkload(workload, HypervisorGuest.Mmu.EPT_LOG));
            publish(context, "nested-ept-2m:" + name, new NestedWorkload(workload, HypervisorGuest.Mmu.EPT_2M));
            publish(context, "nested-shadow:" + name, new NestedWorkload(workload, HypervisorGuest.Mmu.SHADOW));
            publish(context, "nested-npt:" + name, new NestedWorkload(workload, HypervisorGuest.Mmu.NPT));
            publish(context, "nested-npt-2m:" + name, new NestedWorkload(workload, HypervisorGuest.Mmu.NPT_2M));
            publish(context, "nested-svm-shadow:" + name, new NestedWorkload(workload, HypervisorGuest.Mmu.SVM_SHADOW));
        });
    }

    private static void publish(BundleContext context, String name, Workload workload) {
        Hashtable<String, Object> properties = new Hashtable<>();
        properties.put(Workload.WORKLOAD_NAME, name);
        context.registerService(Workload.class, workload, properties);
    }
}
