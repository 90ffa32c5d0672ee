package org.penumbra.experiments.run;

import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.penumbra.api.cpu.VirtualizationExtension;
import org.penumbra.api.machine.MachineFactory;

/**
 * One column of a comparison: an MMU design with everything that is chosen about it.
 *
 * <p>{@link #NATIVE} is the guest alone on the processor. Each MMU that the container offers gives two designs: its own name, on
 * a host that backs guest memory by 4 KiB pages, and its name with {@link #LARGE} on a host that uses 2 MiB pages.
 *
 * @param name the name by which a user selects it
 * @param mmu the MMU by {@code mmu.name}; empty without a hypervisor
 * @param hostPageLevel 1 or 2, as in {@link org.penumbra.api.machine.MachineConfig}
 * @param settings every setting of the MMU with its value
 * @param nests whether a guest can be a hypervisor with EPT or nested tables of its own
 * @param extension what a guest can be a hypervisor with; null without a hypervisor
 */
public record Design(String name, String mmu, int hostPageLevel, List<Setting> settings, boolean nests,
        VirtualizationExtension extension) {
    /** The design without a hypervisor: the denominator of every overhead. */
    public static final String NATIVE = "native";
    /** What the name of a design on 2 MiB host pages ends with. */
    public static final String LARGE = "-2m";

    /**
     * A setting of the MMU.
     *
     * @param isDefault whether {@code value} is the MMU's own default
     */
    public record Setting(String key, String value, boolean isDefault, Origin origin) {}

    public Design {
        settings = List.copyOf(settings);
    }

    /** The kind of machine that runs this design. */
    public String machineKind() {
        return mmu.isEmpty() ? MachineFactory.BARE : MachineFactory.VMX;
    }

    /** The settings that differ from the MMU's defaults. */
    public Map<String, String> changedSettings() {
        Map<String, String> changed = new TreeMap<>();
        for (Setting s : settings) {
            if (!s.isDefault()) {
                changed.put(s.key(), s.value());
            }
        }
        return Collections.unmodifiableMap(changed);
    }

    /** The size of the pages by which the host backs guest memory. */
    public long hostPageBytes() {
        return hostPageLevel == 2 ? 2L << 20 : 4096;
    }
}
