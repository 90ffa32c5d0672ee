package org.penumbra.ept;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.penumbra.api.mmu.MmuFactory.Setting;
import org.penumbra.api.mmu.MmuHost;
import org.penumbra.kit.PageLimit;

/**
 * What a user chose of the design.
 *
 * @param levels levels of the tree
 * @param accessedDirty the processor sets accessed and dirty flags; with NPT it always does (APM vol. 2, "Nested Page Tables")
 * @param largePages 2 MiB leaves where the host has 2 MiB pages
 * @param dirtyLog how writes are noticed for the dirty log
 * @param nxHugePages nothing is executed from 2 MiB leaves
 * @param nxRecoveryPeriod simulated cycles of a vCPU after which splits for fetches are given up; 0 for never
 * @param subPageWrites of a page of which only parts are tracked the guest writes the others by itself
 * @param pageLimit the most tables of the tree besides its root; 0 for any number
 * @param reclaim tables are given up when host memory is exhausted
 * @param modeBasedExecute a page is executable for the mode that has fetched from it
 * @param eagerPageSplit the dirty log splits large leaves when it begins; else the first write to one does
 */
record TdpSettings(int levels, boolean accessedDirty, boolean largePages, TdpDirty.Means dirtyLog, boolean eagerPageSplit,
        boolean nxHugePages, long nxRecoveryPeriod, boolean subPageWrites, long pageLimit, boolean reclaim,
        boolean modeBasedExecute) {
    static final String ACCESSED_DIRTY = "accessed-dirty";
    static final String SUB_PAGE_WRITES = "sub-page-writes";
    static final String MODE_BASED_EXECUTE = "mode-based-execute";
    static final String PAGE_LIMIT = "page-limit";
    static final String RECLAIM = "reclaim";
    static final String LARGE_PAGES = "large-pages";
    static final String LEVELS = "levels";
    static final String DIRTY_LOG = "dirty-log";
    static final String EAGER_PAGE_SPLIT = "eager-page-split";
    static final String NX_HUGE_PAGES = "nx-huge-pages";
    static final String NX_RECOVERY = "nx-recovery-period";

    /** What KVM does in a minute of a processor of 3 GHz. KVM: calc_nx_huge_pages_recovery_period. */
    private static final String RECOVERY_PERIOD = "180000000000";

    private static final String NO_LIMIT = "none";

    private static final List<String> SWITCH = List.of("on", "off");

    /** What there is to choose with {@code format}. */
    static List<Setting> offered(TdpFormat format) {
        List<Setting> offered = new ArrayList<>();
        if (format == TdpFormat.EPT) {
            offered.add(new Setting(key(format, ACCESSED_DIRTY), "on", SWITCH,
                    "accessed and dirty flags in EPT entries; guest table accesses count as writes then"));
        }
        offered.add(new Setting(key(format, LARGE_PAGES), "on", SWITCH, "2 MiB leaves where the host has 2 MiB pages"));
        offered.add(new Setting(key(format, LEVELS), "4", List.of("4", "5"),
                "levels of the tree: 4 translate 48 bits of guest-physical address, 5 translate 57"));
        offered.add(new Setting(key(format, DIRTY_LOG), "flags",
                format == TdpFormat.EPT ? List.of("flags", "pml", "protection") : List.of("flags", "protection"),
                "how writes are noticed for the dirty log: by the dirty flags that the processor sets, "
                        + (format == TdpFormat.EPT ? "by its page-modification log, " : "") + "by write protection, as always without flags"));
        offered.add(new Setting(key(format, EAGER_PAGE_SPLIT), "on", SWITCH,
                "the dirty log splits large leaves when it begins, and not with the first write to each"));
        offered.add(new Setting(key(format, NX_HUGE_PAGES), "off", SWITCH, "execute nothing from 2 MiB leaves: a fetch splits them (iTLB multihit)"));
        offered.add(new Setting(key(format, NX_RECOVERY), RECOVERY_PERIOD, List.of(),
                "simulated cycles after which a sixtieth of what fetches have split may be large again; 0 for never"));
        offered.add(new Setting(key(format, PAGE_LIMIT), NO_LIMIT, List.of(),
                "the most tables besides the root: a number from " + PageLimit.LEAST + " up, or none, as KVM has it"));
        offered.add(new Setting(key(format, RECLAIM), "on", SWITCH, "recycle tables when host memory is exhausted"));
        if (format == TdpFormat.EPT) {
            offered.add(new Setting(key(format, SUB_PAGE_WRITES), "off", SWITCH,
                    "of a page of which only some bytes are tracked the guest writes the other 128-byte sub-pages without exits"));
            offered.add(new Setting(key(format, MODE_BASED_EXECUTE), "off", SWITCH,
                    "mode-based execute control: a page is executable for supervisor or for user mode once that has fetched from it; not with nx-huge-pages"));
        }
        return offered;
    }

    /** The choice made at {@code host}. */
    static TdpSettings chosen(TdpFormat format, MmuHost host) {
        int levels = Integer.parseInt(host.setting(key(format, LEVELS)));
        if (format == TdpFormat.NPT && levels == 5 && host.linearAddressBits() < 57) {
            // Nested tables have as many levels as the host's own.
            throw new IllegalArgumentException(key(format, LEVELS) + ": 5 needs a processor with 5-level paging, such as icelake-server; 4 would do");
        }
        boolean flags = format == TdpFormat.NPT || on(host, key(format, ACCESSED_DIRTY));
        boolean byMode = format == TdpFormat.EPT && on(host, key(format, MODE_BASED_EXECUTE));
        if (byMode && on(host, key(format, NX_HUGE_PAGES))) {
            throw new IllegalArgumentException(key(format, MODE_BASED_EXECUTE) + ": on needs " + key(format, NX_HUGE_PAGES) + ": off");
        }
        TdpDirty.Means dirtyLog = TdpDirty.Means.valueOf(host.setting(key(format, DIRTY_LOG)).toUpperCase(Locale.ROOT));
        if (!flags && dirtyLog == TdpDirty.Means.PML) {
            throw new IllegalArgumentException(key(format, DIRTY_LOG) + ": pml needs dirty flags, so " + key(format, ACCESSED_DIRTY) + ": on");
        }
        return new TdpSettings(
                levels,
                flags,
                on(host, key(format, LARGE_PAGES)),
                flags ? dirtyLog : TdpDirty.Means.PROTECTION,
                on(host, key(format, EAGER_PAGE_SPLIT)),
                on(host, key(format, NX_HUGE_PAGES)),
                period(host, key(format, NX_RECOVERY)),
                format == TdpFormat.EPT && on(host, key(format, SUB_PAGE_WRITES)),
                PageLimit.parse(key(format, PAGE_LIMIT), host.setting(key(format, PAGE_LIMIT)), NO_LIMIT),
                on(host, key(format, RECLAIM)),
                byMode);
    }

    /** The key of a setting. */
    static String key(TdpFormat format, String name) {
        return format.design + "." + name;
    }

    private static long period(MmuHost host, String key) {
        String value = host.setting(key);
        if (!value.matches("[0-9]{1,18}")) {
            throw new IllegalArgumentException(key + ": '" + value + "' is no number of simulated cycles, from 0 up");
        }
        return Long.parseLong(value);
    }

    private static boolean on(MmuHost host, String key) {
        return host.setting(key).equals("on");
    }
}
