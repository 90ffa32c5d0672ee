package org.penumbra.plugins;

import java.util.Collection;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.osgi.framework.Constants;
import org.osgi.framework.namespace.ExecutionEnvironmentNamespace;
import org.osgi.framework.namespace.PackageNamespace;
import org.osgi.resource.Capability;
import org.osgi.resource.Namespace;
import org.osgi.resource.Requirement;
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

    /** Why {@code need}, which nothing in {@code there} meets, is a problem, and what would mend it; to be read after the bundle's name. */
    static String missing(Requirement need, Collection<? extends Capability> there, String place) {
        String filter = String.valueOf(need.getDirectives().get(Namespace.REQUIREMENT_FILTER_DIRECTIVE));
        switch (need.getNamespace()) {
            case PackageNamespace.PACKAGE_NAMESPACE:
                String name = attribute(filter, PackageNamespace.PACKAGE_NAMESPACE);
                List<String> versions = there.stream().filter(c -> c.getNamespace().equals(PackageNamespace.PACKAGE_NAMESPACE)
                        && name.equals(c.getAttributes().get(PackageNamespace.PACKAGE_NAMESPACE)))
                        .map(c -> String.valueOf(c.getAttributes().get(Constants.VERSION_ATTRIBUTE))).distinct().sorted().toList();
                if (versions.isEmpty()) {
                    return "needs the package " + name + range(filter) + ", which " + place + " does not have; a plugin takes libraries in with "
                            + "-conditionalpackage in its bnd.bnd";
                }
                return name.startsWith(API)
                        ? "was built for another API: it needs " + name + range(filter) + " and this Penumbra has " + String.join(", ", versions)
                                + "; build it against this one, or take a version of it that was"
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

    static String attribute(String filter, String name) {
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
