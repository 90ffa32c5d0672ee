package org.penumbra.experiments.cli;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.experiments.report.ConsoleTable;
import org.penumbra.experiments.report.Figures;
import org.penumbra.experiments.run.PagingModes;

/** The figures by which people tell processor models apart: one entry of a listing. */
record ProcessorSummary(CostProfile profile) {
    private static final List<String> PAGE_SIZES = List.of("small", "large", "huge");
    private static final List<String> DATA_CACHES = List.of("l1", "l2", "llc");

    /** The table that {@link #addTo} fills. */
    static ConsoleTable table() {
        return new ConsoleTable("llrrllll", "Hardware", "Vendor", "Year", "Levels", "Data TLB", "Second TLB", "Data caches", "Description");
    }

    void addTo(ConsoleTable table) {
        Map<String, Long> second = secondLevel();
        table.row(profile.name(), profile.vendor().label(), Integer.toString(profile.year()), Long.toString(levels()),
                firstLevel().values().stream().filter(n -> n > 0).map(n -> Long.toString(n)).collect(Collectors.joining(" + ")),
                second.get("shared") + extra(second, "huge", "1G") + extra(second, "instruction", "code"),
                dataCaches().values().stream().map(Figures::bytes).collect(Collectors.joining(", ")), profile.description());
    }

    /** For JSON. */
    Map<String, Object> entry() {
        Map<String, Object> entry = new LinkedHashMap<>();
        entry.put("name", profile.name());
        entry.put("description", profile.description());
        entry.put("vendor", profile.vendor().label());
        entry.put("year", profile.year());
        entry.put("paging_levels", levels());
        entry.put("data_tlb_entries", firstLevel());
        entry.put("second_level_tlb_entries", secondLevel());
        entry.put("data_cache_bytes", dataCaches());
        return entry;
    }

    private long levels() {
        return PagingModes.hasFiveLevels(profile) ? 5 : 4;
    }

    private Map<String, Long> firstLevel() {
        Map<String, Long> entries = new LinkedHashMap<>();
        PAGE_SIZES.forEach(size -> entries.put(size, profile.figure("tlb.data." + size + ".entries")));
        return entries;
    }

    private Map<String, Long> secondLevel() {
        Map<String, Long> entries = new LinkedHashMap<>();
        entries.put("shared", profile.figure("tlb.second-level.entries"));
        entries.put("huge", profile.figure("tlb.second-level-huge.entries"));
        entries.put("instruction", profile.figure("tlb.second-level-instruction.entries"));
        return entries;
    }

    private Map<String, Long> dataCaches() {
        Map<String, Long> bytes = new LinkedHashMap<>();
        DATA_CACHES.forEach(cache -> bytes.put(cache, profile.figure("data-cache." + cache + ".bytes")));
        return bytes;
    }

    /** " + 16 1G"; empty if a processor lacks the array. */
    private static String extra(Map<String, Long> entries, String array, String label) {
        return entries.get(array) == 0 ? "" : " + " + entries.get(array) + " " + label;
    }
}
