package org.penumbra.shadow;

import java.util.List;
import org.penumbra.api.mmu.MmuFactory.Setting;
import org.penumbra.api.mmu.MmuHost;

/** The mechanisms of shadow paging that can be switched off, to see what each is worth. */
final class ShadowSettings {
    static final String UNSYNC = "shadow.unsync";
    static final String FLOODING = "shadow.flooding-detection";
    static final String PREVIOUS_ROOTS = "shadow.previous-roots";
    static final String LARGE_PAGES = "shadow.large-pages";

    private static final List<String> SWITCH = List.of("on", "off");

    static final List<Setting> ALL = List.of(
            new Setting(UNSYNC, "on", SWITCH, "let the guest write its leaf tables without an exit until it flushes"),
            new Setting(FLOODING, "on", SWITCH, "stop shadowing an upper table after three emulated writes without a use"),
            new Setting(PREVIOUS_ROOTS, "3", List.of("0", "1", "2", "3"), "shadow roots a vCPU keeps besides the current one"),
            new Setting(LARGE_PAGES, "on", SWITCH, "map 2 MiB guest pages by 2 MiB where the host has them and no table lies inside"));

    private ShadowSettings() {}

    static boolean on(MmuHost host, String key) {
        return host.setting(key).equals("on");
    }

    static int previousRoots(MmuHost host) {
        return Integer.parseInt(host.setting(PREVIOUS_ROOTS));
    }
}
