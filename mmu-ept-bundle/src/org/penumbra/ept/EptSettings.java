package org.penumbra.ept;

import java.util.List;
import org.penumbra.api.mmu.MmuFactory.Setting;
import org.penumbra.api.mmu.MmuHost;

/** What a user can choose of the design. */
final class EptSettings {
    static final String ACCESSED_DIRTY = "ept.accessed-dirty";
    static final String LARGE_PAGES = "ept.large-pages";

    static final String LEVELS = "ept.levels";

    private static final List<String> SWITCH = List.of("on", "off");

    static final List<Setting> ALL = List.of(
            new Setting(ACCESSED_DIRTY, "on", SWITCH, "accessed and dirty flags in EPT entries; guest table accesses count as writes then"),
            new Setting(LARGE_PAGES, "on", SWITCH, "2 MiB leaves where the host has 2 MiB pages"),
            new Setting(LEVELS, "4", List.of("4", "5"), "levels of the tree: 4 translate 48 bits of guest-physical address, 5 translate 57"));

    private EptSettings() {}

    static int levels(MmuHost host) {
        return Integer.parseInt(host.setting(LEVELS));
    }

    static boolean on(MmuHost host, String key) {
        return host.setting(key).equals("on");
    }
}
