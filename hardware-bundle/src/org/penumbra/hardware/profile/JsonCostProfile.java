package org.penumbra.hardware.profile;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.penumbra.api.clock.CostProfile;

/** A profile that was read and checked. */
final class JsonCostProfile implements CostProfile {
    private final String name;
    private final String description;
    private final Vendor vendor;
    private final int year;
    private final Map<String, Figure> figures = new LinkedHashMap<>();

    JsonCostProfile(String name, String description, Vendor vendor, int year, List<Figure> figures) {
        this.name = name;
        this.description = description;
        this.vendor = vendor;
        this.year = year;
        figures.forEach(f -> this.figures.put(f.key(), f));
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public String description() {
        return description;
    }

    @Override
    public Vendor vendor() {
        return vendor;
    }

    @Override
    public int year() {
        return year;
    }

    @Override
    public List<Figure> figures() {
        return List.copyOf(figures.values());
    }

    @Override
    public long figure(String key) {
        Figure f = figures.get(key);
        if (f == null) {
            throw new IllegalArgumentException("hardware profile " + name + " has no figure \"" + key + "\"");
        }
        return f.value();
    }
}
