package org.penumbra.plugins;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.StringJoiner;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.osgi.framework.Constants;
import org.osgi.framework.namespace.ExecutionEnvironmentNamespace;
import org.osgi.framework.namespace.PackageNamespace;
import org.osgi.resource.Capability;
import org.osgi.resource.Namespace;
import org.osgi.resource.Requirement;
import org.osgi.resource.Resource;
import aQute.bnd.osgi.resource.ResourceUtils;

/** What a bundle needs, in words. */
final class Needs {
    static final String SERVICE = "osgi.service";
    private static final String API = "org.penumbra.api";
    private static final Pattern FROM = Pattern.compile("\\(version>=([^)]+)\\)");
    private static final Pattern BELOW = Pattern.compile("\\(!\\(version>=([^)]+)\\)\\)");

    private Needs() {}

    /** True if the bundle does not run without it: at resolution, or for its components to have their services. */
    static boolean mandatory(Requirement need) {
        return !Namespace.RESOLUTION_OPTIONAL.equals(need.getDirectives().get(Namespace.REQUIREMENT_RESOLUTION_DIRECTIVE))
                && !"dynamic".equals(need.getDirectives().get(Namespace.REQUIREMENT_RESOLUTION_DIRECTIVE));
    }

    static boolean met(Requirement need, Collection<? extends Capability> capabilities) {
        return capabilities.stream().anyMatch(c -> ResourceUtils.matches(need, c));
    }

    /** What {@code resource} needs and neither {@code own} nor {@code there} has, in lines to be read after its name. */
    static List<String> unmet(Resource resource, Collection<? extends Capability> own, Collection<? extends Capability> there) {
        List<Requirement> missing = resource.getRequirements(null).stream().filter(n -> mandatory(n) && !met(n, own) && !met(n, there)).toList();
        return lines(missing, there, "this container");
    }

    /** A line for each of {@code missing}, which nothing in {@code there} meets; one for all packages of the API. */
    static List<String> lines(List<Requirement> missing, Collection<? extends Capability> there, String place) {
        List<Requirement> api = missing.stream().filter(Needs::ofApi).toList();
        List<String> lines = new ArrayList<>();
        if (!api.isEmpty()) {
            lines.add(otherApi(api, there));
        }
        missing.stream().filter(n -> !ofApi(n)).forEach(n -> lines.add(missing(n, there, place)));
        return lines;
    }

    /** Why {@code need}, which nothing in {@code there} meets, is a problem, and what would mend it; to be read after the bundle's name. */
    private static String missing(Requirement need, Collection<? extends Capability> there, String place) {
        String filter = filter(need);
        switch (need.getNamespace()) {
            case PackageNamespace.PACKAGE_NAMESPACE:
                String name = attribute(filter, PackageNamespace.PACKAGE_NAMESPACE);
                List<String> versions = versions(name, there);
                return versions.isEmpty() ? "needs the package " + name + range(filter) + ", which " + place
                        + " does not have; a plugin takes libraries in with -conditionalpackage in its bnd.bnd"
                        : "needs the package " + name + range(filter) + ", and " + place + " has version " + String.join(", ", versions);
            case ExecutionEnvironmentNamespace.EXECUTION_ENVIRONMENT_NAMESPACE:
                Matcher version = Pattern.compile("\\(version=([^)]+)\\)").matcher(filter);
                return "needs Java " + (version.find() ? version.group(1) : filter) + ", and this is Java " + Runtime.version().feature()
                        + "; run Penumbra with that one, or build with --release " + Runtime.version().feature();
            case SERVICE:
                return "needs a service " + attribute(filter, Constants.OBJECTCLASS) + ", which nothing in " + place + " offers";
            default:
                return "needs " + need.getNamespace() + " " + filter + ", which " + place + " does not have";
        }
    }

    /** True of a package of Penumbra's API. */
    private static boolean ofApi(Requirement need) {
        return need.getNamespace().equals(PackageNamespace.PACKAGE_NAMESPACE)
                && attribute(filter(need), PackageNamespace.PACKAGE_NAMESPACE).startsWith(API);
    }

    /** Why packages of the API that nothing in {@code there} meets are a problem, as {@link #missing} does: one line for all. */
    private static String otherApi(List<Requirement> needs, Collection<? extends Capability> there) {
        StringJoiner packages = new StringJoiner(", and ");
        for (Requirement need : needs) {
            String name = attribute(filter(need), PackageNamespace.PACKAGE_NAMESPACE);
            List<String> versions = versions(name, there);
            packages.add(name + range(filter(need)) + (versions.isEmpty() ? ", which this Penumbra does not have"
                    : " where this Penumbra has " + String.join(", ", versions)));
        }
        return "was built for another API: it needs " + packages + "; build it against this one, or take a version of it that was";
    }

    private static List<String> versions(String name, Collection<? extends Capability> there) {
        return there.stream().filter(c -> c.getNamespace().equals(PackageNamespace.PACKAGE_NAMESPACE)
                && name.equals(c.getAttributes().get(PackageNamespace.PACKAGE_NAMESPACE)))
                .map(c -> String.valueOf(c.getAttributes().get(Constants.VERSION_ATTRIBUTE))).distinct().sorted().toList();
    }

    private static String filter(Requirement need) {
        return String.valueOf(need.getDirectives().get(Namespace.REQUIREMENT_FILTER_DIRECTIVE));
    }

    private static String attribute(String filter, String name) {
        Matcher m = Pattern.compile("\\(" + Pattern.quote(name) + "=([^)]+)\\)").matcher(filter);
        return m.find() ? m.group(1) : filter;
    }

    private static String range(String filter) {
        Matcher below = BELOW.matcher(filter);
        String upper = below.find() ? below.group(1) : "";
        Matcher from = FROM.matcher(filter.replaceAll(BELOW.pattern(), ""));
        String lower = from.find() ? from.group(1) : "";
        if (lower.isEmpty()) {
            return "";
        }
        return upper.isEmpty() ? " in version " + lower + " or newer" : " in version [" + lower + "," + upper + ")";
    }
}
