package org.penumbra.laboratory;

import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.jar.Attributes;
import java.util.jar.Manifest;
import org.osgi.framework.Constants;

/** The bundles among the jars and folders of a class path. Immutable. */
final class ClassPathBundles {
    private static final String MANIFEST = "META-INF/MANIFEST.MF";

    private record Found(String location, Attributes headers) {}

    private final Map<String, Found> bundles = new LinkedHashMap<>();

    /** Those that {@code loader} finds; of two with one name the first. */
    ClassPathBundles(ClassLoader loader) {
        try {
            for (URL url : Collections.list(loader.getResources(MANIFEST))) {
                try (InputStream in = url.openStream()) {
                    Attributes headers = new Manifest(in).getMainAttributes();
                    String name = headers.getValue(Constants.BUNDLE_SYMBOLICNAME);
                    if (name != null) {
                        bundles.putIfAbsent(name.split(";")[0].strip(), new Found(root(url), headers));
                    }
                }
            }
        } catch (IOException e) {
            throw new IllegalStateException("the class path cannot be read: " + e.getMessage(), e);
        }
    }

    /** {@code jar:file:/a.jar!/META-INF/MANIFEST.MF} is in {@code file:/a.jar}. */
    private static String root(URL manifest) {
        String url = manifest.toString();
        String inside = url.substring(0, url.length() - MANIFEST.length());
        return inside.startsWith("jar:") ? inside.substring("jar:".length(), inside.length() - "!/".length()) : inside;
    }

    /**
     * Where the bundle {@code name} lies, for a framework that uses it there.
     *
     * @throws IllegalStateException if it is not on the class path
     */
    String location(String name) {
        return "reference:" + found(name).location;
    }

    /** What the bundle {@code name} exports, for a framework that offers it as its own. */
    String exports(String name) {
        return found(name).headers.getValue(Constants.EXPORT_PACKAGE).replaceAll(";uses:=\"[^\"]*\"", "");
    }

    private Found found(String name) {
        Found found = bundles.get(name);
        if (found == null) {
            throw new IllegalStateException("the bundle " + name + " is not on the class path; the artifact org.penumbra.laboratory brings it as a dependency");
        }
        return found;
    }
}
