package org.penumbra.hardware.profile;

import java.util.LinkedHashMap;
import java.util.Map;
import org.penumbra.api.clock.Work;

/** The figures that a profile must have, each with its unit: one price per kind of work, and the geometry of the caches. */
final class FigureKeys {
    /** Arrays without which there is no processor. */
    private static final String[] TLBS = {
        "tlb.data.small", "tlb.data.large", "tlb.instruction.small", "tlb.instruction.large", "tlb.second-level",
    };
    /** Arrays that a processor may lack: 0 entries. */
    private static final String[] OPTIONAL = {
        "paging-structure-cache.pde", "paging-structure-cache.pdpte", "paging-structure-cache.pml4e",
        "ept-paging-structure-cache.pde", "ept-paging-structure-cache.pdpte", "ept-paging-structure-cache.pml4e",
        "nested-tlb",
    };

    /** Address bits of a physical address. */
    static final String MAXPHYADDR = "cpu.maxphyaddr";
    static final String ENTRIES = ".entries";
    static final String WAYS = ".ways";

    private FigureKeys() {}

    /** Key and unit of every figure, in the order of documentation. */
    static Map<String, String> units() {
        Map<String, String> units = new LinkedHashMap<>();
        units.put(MAXPHYADDR, "bits");
        for (String array : arrays()) {
            units.put(array + ENTRIES, "entries");
            units.put(array + WAYS, "ways");
        }
        for (Work work : Work.values()) {
            units.put(work.key(), "cycles");
        }
        return units;
    }

    static String[] arrays() {
        String[] all = new String[TLBS.length + OPTIONAL.length];
        System.arraycopy(TLBS, 0, all, 0, TLBS.length);
        System.arraycopy(OPTIONAL, 0, all, TLBS.length, OPTIONAL.length);
        return all;
    }

    static boolean mayBeAbsent(String array) {
        for (String name : OPTIONAL) {
            if (name.equals(array)) {
                return true;
            }
        }
        return false;
    }

    /** The key that {@code wrong} was most likely meant to be: the one with the fewest letters to change. */
    static String nearest(String wrong) {
        String best = null;
        int least = Integer.MAX_VALUE;
        for (String key : units().keySet()) {
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
