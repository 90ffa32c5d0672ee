package org.penumbra.shell;

import java.io.InputStream;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Hashtable;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleException;
import org.osgi.framework.ServiceReference;
import org.osgi.framework.Version;
import org.penumbra.api.plugin.PluginTools;

/** As much of a framework as the shell asks for: bundles that can be stopped, and services that go with them. */
final class FakeFramework {
    /** What is done to bundles, in order. */
    final List<String> log = new ArrayList<>();
    /** Bundles whose start fails with this message, by symbolic name. */
    final Map<String, String> broken = new HashMap<>();
    /** Why jars are refused before they are installed, by file name. */
    final Map<String, String> refused = new HashMap<>();
    final BundleContext context = proxy(BundleContext.class, this::context);
    final PluginTools tools = proxy(PluginTools.class, (self, method, arguments) -> {
        String objection = refused.get(((Path) arguments[0]).getFileName().toString());
        return objection == null ? List.of() : List.of(objection);
    });

    private final List<FakeBundle> bundles = new ArrayList<>();
    private final List<FakeService> services = new ArrayList<>();

    FakeFramework() {
        bundle("system");
    }

    /** Installs and starts a bundle that publishes nothing. */
    FakeBundle bundle(String name) {
        FakeBundle bundle = new FakeBundle(bundles.size(), name, "fake:" + name);
        bundles.add(bundle);
        return bundle;
    }

    /** Publishes {@code service} for {@code bundle}, as long as it is active. */
    void publish(FakeBundle bundle, Class<?> type, Object service, String... keysAndValues) {
        Map<String, Object> properties = new Hashtable<>();
        for (int i = 0; i < keysAndValues.length; i += 2) {
            properties.put(keysAndValues[i], keysAndValues[i + 1].matches("\\d+") ? Integer.valueOf(keysAndValues[i + 1])
                    : keysAndValues[i + 1]);
        }
        services.add(new FakeService(bundle, type, service, properties));
    }

    private Object context(Object self, Method method, Object[] arguments) throws BundleException {
        return switch (method.getName()) {
            case "getBundles" -> bundles.stream().filter(b -> b.state != Bundle.UNINSTALLED).map(b -> b.bundle).toArray(Bundle[]::new);
            case "getBundle" -> bundles.stream().filter(b -> b.state != Bundle.UNINSTALLED).filter(b -> arguments[0] instanceof Long id
                    ? b.id == id : b.location.equals(arguments[0])
                            || b.id == 0 && arguments[0].equals("System Bundle")).map(b -> b.bundle).findFirst().orElse(null);
            case "getServiceReferences" -> arguments[0] instanceof Class<?> type ? references(type.getName())
                    : commands((String) arguments[1]);
            case "getService" -> services.stream().filter(s -> s.reference == arguments[0]).findFirst().orElseThrow().service;
            case "ungetService" -> true;
            case "installBundle" -> install((String) arguments[0], (InputStream) arguments[1]);
            default -> throw new UnsupportedOperationException(method.toString());
        };
    }

    private List<ServiceReference<?>> references(String type) {
        List<ServiceReference<?>> found = new ArrayList<>();
        services.stream().filter(s -> s.type.getName().equals(type) && s.bundle.state == Bundle.ACTIVE)
                .forEach(s -> found.add(s.reference));
        return found;
    }

    /** The services that a filter for a Gogo command finds. */
    private ServiceReference<?>[] commands(String filter) {
        String name = filter.replaceFirst(".*function=([\\w-]+).*", "$1");
        return services.stream().filter(s -> s.properties.get("osgi.command.function") instanceof String names
                && List.of(names.split(",")).contains(name)).map(s -> s.reference).toArray(ServiceReference[]::new);
    }

    private Bundle install(String location, InputStream content) {
        String file = location.substring(location.lastIndexOf('/') + 1).replace(".jar", "");
        FakeBundle bundle = new FakeBundle(bundles.size(), file, location);
        bundle.state = Bundle.INSTALLED;
        bundles.add(bundle);
        log.add("install " + file);
        return bundle.bundle;
    }

    @SuppressWarnings("unchecked")
    static <T> T proxy(Class<T> type, InvocationHandler handler) {
        return (T) Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, (self, method, arguments) -> switch (
            method.getName()) {
                case "hashCode" -> System.identityHashCode(self);
                case "equals" -> self == arguments[0];
                case "toString" -> type.getSimpleName();
                default -> handler.invoke(self, method, arguments);
            });
    }

    final class FakeBundle {
        final int id;
        final String name;
        final String location;
        final Bundle bundle = proxy(Bundle.class, this::invoke);
        int state = Bundle.ACTIVE;

        private FakeBundle(int id, String name, String location) {
            this.id = id;
            this.name = name;
            this.location = location;
        }

        private Object invoke(Object self, Method method, Object[] arguments) throws BundleException {
            switch (method.getName()) {
                case "getBundleId":
                    return (long) id;
                case "getSymbolicName":
                    return name;
                case "getVersion":
                    return new Version(1, 0, 0);
                case "getLocation":
                    return location;
                case "getState":
                    return state;
                case "getHeaders":
                    return new Hashtable<>();
                case "adapt":
                    return null;
                case "compareTo":
                    return Long.compare(id, ((Bundle) arguments[0]).getBundleId());
                default:
                    return change(method.getName());
            }
        }

        private Object change(String what) throws BundleException {
            log.add(what + " " + name);
            if (what.equals("start") && broken.containsKey(name)) {
                throw new BundleException(broken.get(name), BundleException.RESOLVE_ERROR);
            }
            state = switch (what) {
                case "start" -> Bundle.ACTIVE;
                case "stop" -> Bundle.RESOLVED;
                case "uninstall" -> Bundle.UNINSTALLED;
                case "update" -> state;
                default -> throw new UnsupportedOperationException(what);
            };
            return null;
        }
    }

    private static final class FakeService {
        final FakeBundle bundle;
        final Class<?> type;
        final Object service;
        final Map<String, Object> properties;
        final ServiceReference<?> reference = proxy(ServiceReference.class, this::invoke);

        FakeService(FakeBundle bundle, Class<?> type, Object service, Map<String, Object> properties) {
            this.bundle = bundle;
            this.type = type;
            this.service = service;
            this.properties = properties;
        }

        private Object invoke(Object self, Method method, Object[] arguments) {
            return switch (method.getName()) {
                case "getProperty" -> properties.get(arguments[0]);
                case "getBundle" -> bundle.bundle;
                case "compareTo" -> Objects.compare(System.identityHashCode(self), System.identityHashCode(arguments[0]),
                        Integer::compare);
                default -> throw new UnsupportedOperationException(Arrays.toString(arguments));
            };
        }
    }
}
