package org.penumbra.hardware.profile;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.clock.CostProfile.Figure;
import org.penumbra.api.clock.CostProfile.Vendor;

/**
 * Reads a profile and believes nothing: each figure exactly once, known, with its unit and a source, and a geometry that can be
 * built. A price that is missing is an error, never free.
 */
final class ProfileReader {
    private static final ObjectMapper JSON =
            JsonMapper.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build();
    /** A profile is a few hundred short lines. */
    private static final int MOST_BYTES = 1 << 20;

    private final String file;
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
            byte[] document = in.readNBytes(MOST_BYTES + 1);
            if (document.length > MOST_BYTES) {
                throw new IllegalArgumentException(file + ": more than " + MOST_BYTES + " bytes: no hardware profile is so long");
            }
            root = JSON.readTree(document);
        } catch (JsonProcessingException e) {
            String where = e.getLocation() == null ? "" : " at line " + e.getLocation().getLineNr();
            throw new IllegalArgumentException(file + where + ": no JSON document: " + e.getOriginalMessage().lines().findFirst().orElse(""), e);
        }
        return new ProfileReader(file).profile(root);
    }

    private CostProfile profile(JsonNode root) {
        only(root, "profile", Set.of("name", "description", "vendor", "year", "figures"));
        String name = text(root, "profile", "name");
        if (!name.matches("[a-z0-9][a-z0-9.-]*")) {
            throw error("name \"" + name + "\": small letters, digits, dots and dashes are allowed");
        }
        String description = text(root, "profile", "description");
        Vendor vendor = vendor(text(root, "profile", "vendor"));
        JsonNode year = root.get("year");
        if (year == null || !year.canConvertToInt() || year.intValue() < 1978 || year.intValue() > 2100) {
            throw error("profile needs the \"year\" in which the processor came out" + (year == null ? "" : ", not " + year));
        }
        JsonNode list = root.get("figures");
        if (list == null || !list.isArray()) {
            throw error("\"figures\" must be a list of {key, value, unit, source}");
        }
        List<Figure> inOrder = new ArrayList<>();
        for (JsonNode node : list) {
            inOrder.add(figure(node));
        }
        FigureKeys.all().forEach((key, rule) -> {
            if (!figures.containsKey(key)) {
                throw error("figure \"" + key + "\" is missing: a value in " + rule.unit() + " and its source are needed");
            }
        });
        try {
            new Geometry(figures).check();
        } catch (IllegalArgumentException e) {
            throw error(e.getMessage());
        }
        return new JsonCostProfile(name, description, vendor, year.intValue(), inOrder);
    }

    private Figure figure(JsonNode node) {
        String key = text(node, "a figure", "key");
        String what = "figure \"" + key + "\"";
        FigureKeys.Rule rule = FigureKeys.all().get(key);
        if (rule == null) {
            throw error("unknown " + what + ": did you mean \"" + FigureKeys.nearest(key) + "\"?");
        }
        only(node, what, Set.of("key", "value", "unit", "source"));
        JsonNode value = node.get("value");
        if (value == null || !value.isIntegralNumber() || !value.canConvertToLong()) {
            throw error(what + " needs an integer \"value\"" + (value == null ? "" : ", not " + value));
        }
        if (!rule.allows(value.longValue())) {
            throw error(what + " is " + value + ": " + rule.range() + " is needed");
        }
        String given = text(node, what, "unit");
        if (!given.equals(rule.unit())) {
            throw error(what + " is in \"" + given + "\": its unit is \"" + rule.unit() + "\"");
        }
        Figure f = new Figure(key, value.longValue(), given, text(node, what, "source"));
        if (figures.put(key, f) != null) {
            throw error(what + " is there twice: give it once");
        }
        return f;
    }

    private Vendor vendor(String label) {
        for (Vendor v : Vendor.values()) {
            if (v.label().equals(label)) {
                return v;
            }
        }
        throw error("vendor \"" + label + "\": " + Arrays.stream(Vendor.values()).map(Vendor::label).collect(Collectors.joining(" or ")) + " is needed");
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
