package org.penumbra.api.verify;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * What stands between a machine and the guest that is verified: nothing, or a hypervisor which is a guest itself (L1), whose guest that is
 * (L2). Which arrangement that makes is decided together with the machine's own design: shadow on shadow, shadow on EPT, EPT on EPT.
 */
public enum Nesting {
    /** The guest runs on the machine. */
    NONE("none", "no guest hypervisor"),
    /** L1 has no EPT: L2 runs on tables in L1's memory, with L1's addresses in them. */
    SHADOW("shadow", "a guest hypervisor whose guest runs on tables with its own addresses"),
    /** L1 has EPT tables that map L2's memory by 4 KiB. */
    EPT("ept", "a guest hypervisor with EPT tables of 4 KiB pages"),
    /** L1 has EPT tables that map L2's memory by 2 MiB. */
    EPT_2M("ept-2m", "a guest hypervisor with EPT tables of 2 MiB pages");

    private final String label;
    private final String description;

    Nesting(String label, String description) {
        this.label = label;
        this.description = description;
    }

    /** The name by which a user selects it. */
    public String label() {
        return label;
    }

    /** One line for people. */
    public String description() {
        return description;
    }

    /** True if L1 has EPT tables, so that the machine's design has to have nested paging. */
    public boolean hasEpt() {
        return this == EPT || this == EPT_2M;
    }

    /** The one called {@code label}. */
    public static Optional<Nesting> named(String label) {
        return Arrays.stream(values()).filter(n -> n.label.equals(label)).findFirst();
    }

    /** All labels. */
    public static List<String> labels() {
        return Arrays.stream(values()).map(Nesting::label).toList();
    }
}
