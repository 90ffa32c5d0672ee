package org.penumbra.hardware.profile;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.penumbra.api.clock.Work;

/** The figures that a profile must have, each with its unit and bounds: what the processor is, its caches, and one price per kind of work. */
final class FigureKeys {
    /** What a figure counts, and the values that make sense. */
    record Rule(String unit, long least, long most) {
        boolean allows(long value) {
            return value >= least && value <= most;
        }

        /** Which values it allows, in words. */
        String range() {
            return unit.equals(FLAG) ? "1 (yes) or 0 (no)" : least + " to " + most;
        }
    }

    static final String ENTRIES = ".entries";
    static final String BYTES = ".bytes";
    static final String WAYS = ".ways";
    static final int LINE = 64;

    private static final String FLAG = "flag";
    private static final long MOST_ENTRIES = 1 << 20;
    private static final long MOST_BYTES = 1 << 30;
    private static final long MOST_CYCLES = 1_000_000_000;

    /** Arrays of translations without which there is no processor. */
    private static final List<String> ARRAYS = List.of(
            "tlb.data.small", "tlb.data.large", "tlb.instruction.small", "tlb.instruction.large", "tlb.second-level");
    /** Arrays of translations that a processor may lack: 0 entries. */
    private static final List<String> OPTIONAL_ARRAYS = List.of(
            "tlb.data.huge", "tlb.instruction.huge", "tlb.second-level-huge", "tlb.second-level-instruction",
            "paging-structure-cache.pde", "paging-structure-cache.pdpte", "paging-structure-cache.pml4e",
            "paging-structure-cache.pml5e", "ept-paging-structure-cache.pde", "ept-paging-structure-cache.pdpte",
            "ept-paging-structure-cache.pml4e", "ept-paging-structure-cache.pml5e", "nested-tlb");
    private static final List<String> DATA_CACHES = List.of("data-cache.l1", "data-cache.l2", "data-cache.llc");

    private static final Map<String, Rule> RULES = rules();

    private FigureKeys() {}

    private static Map<String, Rule> rules() {
        Map<String, Rule> rules = new LinkedHashMap<>();
        rules.put("cpu.maxphyaddr", new Rule("bits", 32, 52));
        rules.put("cpu.linear-address-bits", new Rule("bits", 48, 57));
        rules.put("tlb.model", new Rule(FLAG, 0, 1));
        for (String array : translationArrays()) {
            rules.put(array + ENTRIES, new Rule("entries", OPTIONAL_ARRAYS.contains(array) ? 0 : 1, MOST_ENTRIES));
            rules.put(array + WAYS, new Rule("ways", 1, MOST_ENTRIES));
        }
        rules.put("tlb.second-level.huge", new Rule(FLAG, 0, 1));
        rules.put("paging-structure-cache.from-root", new Rule(FLAG, 0, 1));
        rules.put("data-cache.model", new Rule(FLAG, 0, 1));
        for (String cache : DATA_CACHES) {
            rules.put(cache + BYTES, new Rule("bytes", LINE, MOST_BYTES));
            rules.put(cache + WAYS, new Rule("ways", 1, MOST_ENTRIES));
        }
        rules.put("data-cache.llc.victim", new Rule(FLAG, 0, 1));
        for (Work work : Work.values()) {
            rules.put(work.key(), new Rule("cycles", 0, MOST_CYCLES));
        }
        return rules;
    }

    /** Every key with its rule, in the order of documentation. */
    static Map<String, Rule> all() {
        return RULES;
    }

    /** The arrays that hold translations, each with a number of entries and of ways. */
    static List<String> translationArrays() {
        List<String> all = new ArrayList<>(ARRAYS);
        all.addAll(OPTIONAL_ARRAYS);
        return all;
    }

    /** The caches that hold lines of {@value #LINE} bytes, each with a number of bytes and of ways. */
    static List<String> dataCaches() {
        return DATA_CACHES;
    }

    /** The key that {@code wrong} was most likely meant to be: the one with the fewest letters to change. */
    static String nearest(String wrong) {
        String best = null;
        int least = Integer.MAX_VALUE;
        for (String key : RULES.keySet()) {
            int d = distance(wrong, key);
            if (d < least) {
                least = d;
                best = key;
            }
        }
        return best;
    }

    /** Levenshtein distance. */
    private static int distance(String a, String b) {
        int[] row = new int[b.length() + 1];
        for (int j = 0; j <= b.length(); j++) {
            row[j] = j;
        }
        for (int i = 1; i <= a.length(); i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.length(); j++) {
                int replace = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.min(replace, Math.min(row[j], row[j - 1]) + 1);
            }
        }
        return row[b.length()];
    }
}
