package org.penumbra.shadow;

import java.util.List;
import org.penumbra.api.mmu.MmuFactory.Setting;
import org.penumbra.api.mmu.MmuHost;
import org.penumbra.kit.PageLimit;
import org.penumbra.kit.shadow.ShadowOptions;

/** The mechanisms of shadow paging that can be switched off, to see what each is worth. */
public final class ShadowSettings {
    public static final String UNSYNC = "shadow.unsync";
    public static final String FLOODING = "shadow.flooding-detection";
    public static final String PREVIOUS_ROOTS = "shadow.previous-roots";
    public static final String LARGE_PAGES = "shadow.large-pages";
    public static final String PREFETCH = "shadow.prefetch";
    public static final String INVLPG_PREFETCH = "shadow.invlpg-prefetch";
    public static final String PAGE_LIMIT = "shadow.page-limit";
    public static final String RECLAIM = "shadow.reclaim";
    public static final String NX_HUGE_PAGES = "shadow.nx-huge-pages";
    public static final String CR3_TARGETS = "shadow.cr3-target-list";
    public static final String NX_RECOVERY = "shadow.nx-recovery-period";
    public static final String SINGLE_LOCK = "shadow.single-lock";

    public static final String DEPRIVILEGED = "shadow.deprivileged";

    private static final String AUTO = "auto";
    /** What KVM does in a minute of a processor of 3 GHz. KVM: calc_nx_huge_pages_recovery_period. */
    private static final String RECOVERY_PERIOD = "180000000000";

    private static final List<String> SWITCH = List.of("on", "off");

    static final List<Setting> ALL = List.of(
            new Setting(UNSYNC, "on", SWITCH, "let the guest write its leaf tables without an exit until it flushes"),
            new Setting(FLOODING, "on", SWITCH, "stop shadowing an upper table after three emulated writes without a use"),
            new Setting(PREVIOUS_ROOTS, "3", List.of("0", "1", "2", "3"), "shadow roots a vCPU keeps besides the current one"),
            new Setting(LARGE_PAGES, "on", SWITCH, "map 2 MiB guest pages by 2 MiB where the host has them and no table lies inside"),
            new Setting(PREFETCH, "on", SWITCH, "with a fault's spte fill the empty ones of the same eight that the guest has accessed before"),
            new Setting(INVLPG_PREFETCH, "off", SWITCH, "fill the spte of an invalidated address at once, as KVM did before Linux 6.4"),
            new Setting(PAGE_LIMIT, AUTO, List.of(),
                    "shadow pages before the oldest are recycled; auto: 20 for 1000 frames of guest memory, at least 64"),
            new Setting(RECLAIM, "on", SWITCH, "recycle shadow pages when host memory is exhausted"),
            new Setting(NX_HUGE_PAGES, "off", SWITCH, "execute nothing from 2 MiB pages: a fetch splits them (iTLB multihit)"),
            new Setting(CR3_TARGETS, "off", SWITCH, "let a paravirtual guest load up to 4 shadow roots without an exit (CR3-target list)"),
            new Setting(NX_RECOVERY, RECOVERY_PERIOD, List.of(),
                    "simulated cycles after which a 60th of the pages split by a fetch is 2 MiB again; 0: never"),
            new Setting(SINGLE_LOCK, "off", SWITCH, "serve every fault alone, as KVM does; matters with a thread per vCPU"),
            new Setting(DEPRIVILEGED, "off", SWITCH, "run the guest's kernel at CPL 3 without VMX: privileged operations trap (ring compression)"));

    private ShadowSettings() {}

    /** The choice made at {@code host}. */
    static ShadowOptions options(MmuHost host) {
        return new ShadowOptions(
                on(host, UNSYNC),
                on(host, FLOODING),
                Integer.parseInt(host.setting(PREVIOUS_ROOTS)),
                on(host, LARGE_PAGES),
                on(host, PREFETCH),
                on(host, INVLPG_PREFETCH),
                // KVM: KVM_SET_NR_MMU_PAGES.
                PageLimit.parse(PAGE_LIMIT, host.setting(PAGE_LIMIT), AUTO),
                on(host, RECLAIM),
                on(host, NX_HUGE_PAGES),
                nxRecoveryPeriod(host),
                on(host, CR3_TARGETS),
                on(host, SINGLE_LOCK),
                on(host, DEPRIVILEGED));
    }

    private static boolean on(MmuHost host, String key) {
        return host.setting(key).equals("on");
    }

    /** Simulated cycles. */
    private static long nxRecoveryPeriod(MmuHost host) {
        String value = host.setting(NX_RECOVERY);
        if (!value.matches("[0-9]{1,18}")) {
            throw new IllegalArgumentException(NX_RECOVERY + ": '" + value + "' is no number of simulated cycles, from 0 up");
        }
        return Long.parseLong(value);
    }
}
