package org.penumbra.hardware.profile;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.clock.CostProfile.Figure;
import org.penumbra.api.clock.CostProfiles;

/** The profiles in {@code resources/profiles}, and any file of their form. */
@Component
public final class JsonCostProfiles implements CostProfiles {
    /** The bundled ones, sorted. */
    static final List<String> BUNDLED = List.of("haswell", "icelake-server", "skylake", "zen2", "zen3");

    private final List<CostProfile> all;

    @Activate
    public JsonCostProfiles() {
        List<CostProfile> profiles = new ArrayList<>();
        for (String name : BUNDLED) {
            profiles.add(bundled(name));
        }
        all = List.copyOf(profiles);
    }

    @Override
    public List<CostProfile> all() {
        return all;
    }

    @Override
    public CostProfile read(Path file) {
        try (InputStream in = Files.newInputStream(file)) {
            return ProfileReader.read(file.toString(), in);
        } catch (IOException e) {
            throw new IllegalArgumentException(file + ": cannot be read (" + e.getClass().getSimpleName() + "): a hardware profile is needed", e);
        }
    }

    @Override
    public CostProfile with(CostProfile base, Map<String, Long> values) {
        Map<String, Figure> figures = new LinkedHashMap<>();
        base.figures().forEach(f -> figures.put(f.key(), f));
        for (Map.Entry<String, Long> e : values.entrySet()) {
            String key = e.getKey();
            FigureKeys.Rule rule = FigureKeys.all().get(key);
            if (rule == null) {
                throw new IllegalArgumentException("unknown figure \"" + key + "\": did you mean \"" + FigureKeys.nearest(key) + "\"?");
            }
            if (!rule.allows(e.getValue())) {
                throw new IllegalArgumentException("figure \"" + key + "\" is " + e.getValue() + ": " + rule.range() + " is needed");
            }
            figures.put(key, new Figure(key, e.getValue(), rule.unit(), SET_BY_USER));
        }
        new Geometry(figures).check();
        return new JsonCostProfile(base.name(), base.description(), base.vendor(), base.year(), List.copyOf(figures.values()));
    }

    private static CostProfile bundled(String name) {
        String file = "profiles/" + name + ".json";
        try (InputStream in = JsonCostProfiles.class.getResourceAsStream("/" + file)) {
            if (in == null) {
                throw new IllegalStateException(file + " is not in the bundle");
            }
            return ProfileReader.read(file, in);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
