package org.penumbra.hardware.profile;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.clock.CostProfile.Figure;

/**
 * Reads a profile and believes nothing: each figure exactly once, known, with its unit and a source, and a geometry that can be
 * built. A price that is missing is an error, never free.
 */
final class ProfileReader {
    private static final ObjectMapper JSON =
            JsonMapper.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build();
    private static final int MAX_ENTRIES = 1 << 20;

    private final String file;
    private final Map<String, String> units = FigureKeys.units();
    private final Map<String, Figure> figures = new HashMap<>();

    private ProfileReader(String file) {
        this.file = file;
    }

    /**
     * The profile in {@code in}.
     *
     * @param file what messages call it
     * @throws IllegalArgumentException if it is not one
     */
    static CostProfile read(String file, InputStream in) throws IOException {
        JsonNode root;
        try {
            root = JSON.readTree(in);
        } catch (JsonProcessingException e) {
            String where = e.getLocation() == null ? "" : " at line " + e.getLocation().getLineNr();
            throw new IllegalArgumentException(file + where + ": no JSON document: " + e.getOriginalMessage().lines().findFirst().orElse(""), e);
        }
        return new ProfileReader(file).profile(root);
    }

    private CostProfile profile(JsonNode root) {
        only(root, "profile", Set.of("name", "description", "figures"));
        String name = text(root, "profile", "name");
        if (!name.matches("[a-z0-9][a-z0-9.-]*")) {
            throw error("name \"" + name + "\": small letters, digits, dots and dashes are allowed");
        }
        String description = text(root, "profile", "description");
        JsonNode list = root.get("figures");
        if (list == null || !list.isArray()) {
            throw error("\"figures\" must be a list of {key, value, unit, source}");
        }
        List<Figure> inOrder = new ArrayList<>();
        for (JsonNode node : list) {
            inOrder.add(figure(node));
        }
        for (String key : units.keySet()) {
            if (!figures.containsKey(key)) {
                throw error("figure \"" + key + "\" is missing: a value in " + units.get(key) + " and its source are needed");
            }
        }
        geometry();
        return new JsonCostProfile(name, description, inOrder);
    }

    private Figure figure(JsonNode node) {
        String key = text(node, "a figure", "key");
        String what = "figure \"" + key + "\"";
        String unit = units.get(key);
        if (unit == null) {
            throw error("unknown " + what + ": did you mean \"" + FigureKeys.nearest(key) + "\"?");
        }
        only(node, what, Set.of("key", "value", "unit", "source"));
        JsonNode value = node.get("value");
        if (value == null || !value.isIntegralNumber() || !value.canConvertToLong()) {
            throw error(what + " needs an integer \"value\"" + (value == null ? "" : ", not " + value));
        }
        if (value.longValue() < 0) {
            throw error(what + " is " + value + ": 0 or more is needed");
        }
        String given = text(node, what, "unit");
        if (!given.equals(unit)) {
            throw error(what + " is in \"" + given + "\": its unit is \"" + unit + "\"");
        }
        Figure f = new Figure(key, value.longValue(), unit, text(node, what, "source"));
        if (figures.put(key, f) != null) {
            throw error(what + " is there twice: give it once");
        }
        return f;
    }

    private void geometry() {
        long bits = figures.get(FigureKeys.MAXPHYADDR).value();
        if (bits < 32 || bits > 52) {
            throw error("figure \"" + FigureKeys.MAXPHYADDR + "\" is " + bits + ": 32 to 52 is needed");
        }
        for (String array : FigureKeys.arrays()) {
            long entries = figures.get(array + FigureKeys.ENTRIES).value();
            long ways = figures.get(array + FigureKeys.WAYS).value();
            if (entries == 0 && FigureKeys.mayBeAbsent(array)) {
                continue;
            }
            if (entries == 0 || entries > MAX_ENTRIES) {
                throw error("figure \"" + array + FigureKeys.ENTRIES + "\" is " + entries + ": 1 to " + MAX_ENTRIES + " is needed");
            }
            if (ways == 0 || entries % ways != 0) {
                throw error("figure \"" + array + FigureKeys.WAYS + "\" is " + ways + ": a divisor of the " + entries + " entries is needed");
            }
        }
    }

    private String text(JsonNode node, String what, String field) {
        JsonNode value = node.get(field);
        if (value == null || !value.isTextual() || value.textValue().isBlank()) {
            throw error(what + " needs a \"" + field + "\" in words");
        }
        return value.textValue();
    }

    private void only(JsonNode node, String what, Set<String> fields) {
        if (!node.isObject()) {
            throw error(what + " must be a JSON object");
        }
        for (Iterator<String> names = node.fieldNames(); names.hasNext(); ) {
            String name = names.next();
            if (!fields.contains(name)) {
                throw error(what + " has an unknown field \"" + name + "\": known are " + fields.stream().sorted().toList());
            }
        }
    }

    private IllegalArgumentException error(String message) {
        return new IllegalArgumentException(file + ": " + message);
    }
}
