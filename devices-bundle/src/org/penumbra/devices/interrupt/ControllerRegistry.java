package org.penumbra.devices.interrupt;

import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.osgi.framework.ServiceReference;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.penumbra.api.interrupt.ErrnoException;
import org.penumbra.api.interrupt.InterruptControllerFactory;
import org.penumbra.api.interrupt.InterruptTarget;
import org.penumbra.api.interrupt.Interrupts;
import org.penumbra.api.interrupt.InterruptsFactory;

/**
 * The controller designs that are there now, and the machines that use them. All changes of a machine's controller are made under
 * the lock of this object, so that none is taken from a service that is going. Machines are held weakly: one that its owner
 * forgot to close is not kept alive by this. Immediate, so that it lives as long as its bundle and not only while somebody holds
 * the service: the machines that it made are served by this object.
 */
@Component(immediate = true)
public final class ControllerRegistry implements InterruptsFactory {
    private final Map<ServiceReference<InterruptControllerFactory>, ControllerPlugin> plugins = new HashMap<>();
    private final List<WeakReference<MachineInterrupts>> machines = new ArrayList<>();

    @Reference(cardinality = ReferenceCardinality.MULTIPLE, policy = ReferencePolicy.DYNAMIC)
    void bindController(InterruptControllerFactory factory, ServiceReference<InterruptControllerFactory> reference) {
        String name = String.valueOf(reference.getProperty(InterruptControllerFactory.CONTROLLER_NAME));
        ControllerPlugin plugin = new ControllerPlugin(reference, name, factory);
        List<MachineInterrupts> all;
        List<RuntimeException> failures = new ArrayList<>();
        synchronized (this) {
            plugins.put(reference, plugin);
            all = live();
            all.forEach(m -> attempt(() -> adopt(m, plugin), failures));
        }
        settle(all, failures);
    }

    /** Returns when no machine uses the service any more. Another service of its name takes over at once. */
    void unbindController(ServiceReference<InterruptControllerFactory> reference) {
        List<MachineInterrupts> all;
        List<RuntimeException> failures = new ArrayList<>();
        synchronized (this) {
            ControllerPlugin gone = plugins.remove(reference);
            Optional<ControllerPlugin> next = gone == null ? Optional.empty() : find(gone.name());
            all = live();
            for (MachineInterrupts m : all) {
                attempt(() -> m.release(reference), failures);
                next.ifPresent(p -> attempt(() -> adopt(m, p), failures));
            }
        }
        settle(all, failures);
    }

    private static void adopt(MachineInterrupts machine, ControllerPlugin plugin) {
        if (machine.waitsFor(plugin.name())) {
            machine.install(plugin);
        }
    }

    /** A controller that fails for one machine must not keep the others from theirs. */
    private static void attempt(Runnable step, List<RuntimeException> failures) {
        try {
            step.run();
        } catch (RuntimeException e) {
            failures.add(e);
        }
    }

    private static void settle(List<MachineInterrupts> machines, List<RuntimeException> failures) {
        machines.forEach(m -> attempt(m::settle, failures));
        if (!failures.isEmpty()) {
            throw failures.get(0);
        }
    }

    @Override
    public Interrupts create(int vcpus, InterruptTarget target, String name) {
        MachineInterrupts machine = new MachineInterrupts(this, vcpus, target, name);
        synchronized (this) {
            find(name).ifPresent(machine::install);
            machines.add(new WeakReference<>(machine));
        }
        return machine;
    }

    synchronized void swap(MachineInterrupts machine, String name) {
        machine.install(find(name).orElseThrow(() -> new ErrnoException(
                ErrnoException.ENOENT,
                "no interrupt controller is named '" + name + "'; there are: "
                        + plugins.values().stream().map(ControllerPlugin::name).sorted().distinct()
                                .collect(Collectors.joining(", ")))));
    }

    synchronized void remove(MachineInterrupts machine) {
        machines.removeIf(m -> m.get() == null || m.get() == machine);
    }

    private List<MachineInterrupts> live() {
        machines.removeIf(m -> m.get() == null);
        List<MachineInterrupts> live = new ArrayList<>();
        for (WeakReference<MachineInterrupts> m : machines) {
            MachineInterrupts machine = m.get();
            if (machine != null) {
                live.add(machine);
            }
        }
        return live;
    }

    /** The service with the highest ranking that has {@code name}. */
    private Optional<ControllerPlugin> find(String name) {
        return plugins.entrySet().stream()
                .filter(e -> e.getValue().name().equals(name))
                .max(Map.Entry.comparingByKey())
                .map(Map.Entry::getValue);
    }
}
