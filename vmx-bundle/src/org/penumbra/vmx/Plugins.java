package org.penumbra.vmx;

import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import org.osgi.framework.Bundle;
import org.osgi.framework.ServiceReference;
import org.penumbra.api.machine.MachineException;

/** The replaceable services of one kind that are there now. */
abstract class Plugins<T> {
    private final Map<Object, Plugin<T>> plugins = new ConcurrentHashMap<>();
    private final String kind;

    /** @param kind what they are called in messages */
    Plugins(String kind) {
        this.kind = kind;
    }

    @SuppressWarnings("unchecked")
    final Plugin<T> add(T service, ServiceReference<T> reference, String nameProperty) {
        Bundle bundle = reference.getBundle();
        String name = String.valueOf(reference.getProperty(nameProperty));
        Plugin<T> plugin = new Plugin<>((Comparable<Object>) (Comparable<?>) reference, name, bundle.getSymbolicName() + " " + bundle.getVersion(), service);
        put(plugin);
        return plugin;
    }

    final void put(Plugin<T> plugin) {
        plugins.put(plugin.id(), plugin);
    }

    /** Forgets the service; nobody finds it any more. */
    final void remove(Object id) {
        plugins.remove(id);
    }

    /** True if the service is there. */
    final boolean has(Object id) {
        return plugins.containsKey(id);
    }

    /** The plugin named {@code name}, the one that ranks highest if there are several; empty if there is none. */
    final Optional<Plugin<T>> lookup(String name) {
        return plugins.values().stream().filter(p -> p.name().equals(name)).max((a, b) -> a.id().compareTo(b.id()));
    }

    /** The same, which has to be there. */
    final Plugin<T> find(String name) {
        return lookup(name).orElseThrow(() -> new MachineException("no " + kind + " is named '" + name + "'; there are: "
                + plugins.values().stream().map(Plugin::name).sorted().distinct().collect(Collectors.joining(", "))));
    }
}
