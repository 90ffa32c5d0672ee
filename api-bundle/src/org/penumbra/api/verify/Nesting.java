package org.penumbra.api.verify;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.penumbra.api.cpu.VirtualizationExtension;

/**
 * What stands between a machine and the guest that is verified: nothing, or a hypervisor which is a guest itself (L1), whose guest that is
 * (L2). Which arrangement that makes is decided together with the machine's own design: shadow on shadow, shadow on EPT, EPT on EPT, NPT on NPT.
 */
public enum Nesting {
    /** The guest runs on the machine. */
    NONE("none", "no guest hypervisor", VirtualizationExtension.VMX, 0),
    /** L1 has no EPT: L2 runs on tables in L1's memory, with L1's addresses in them. */
    SHADOW("shadow", "a guest hypervisor whose guest runs on tables with its own addresses", VirtualizationExtension.VMX, 0),
    /** L1 has EPT tables that map L2's memory by 4 KiB. */
    EPT("ept", "a guest hypervisor with EPT tables of 4 KiB pages", VirtualizationExtension.VMX, 1),
    /** L1 has EPT tables that map L2's memory by 2 MiB. */
    EPT_2M("ept-2m", "a guest hypervisor with EPT tables of 2 MiB pages", VirtualizationExtension.VMX, 2),
    /** As {@link #SHADOW}, under SVM. */
    SVM_SHADOW("svm-shadow", "a guest hypervisor by SVM whose guest runs on tables with its own addresses", VirtualizationExtension.SVM, 0),
    /** L1 has nested tables that map L2's memory by 4 KiB. */
    NPT("npt", "a guest hypervisor with nested tables of 4 KiB pages", VirtualizationExtension.SVM, 1),
    /** L1 has nested tables that map L2's memory by 2 MiB. */
    NPT_2M("npt-2m", "a guest hypervisor with nested tables of 2 MiB pages", VirtualizationExtension.SVM, 2);

    private final String label;
    private final String description;
    private final VirtualizationExtension extension;
    private final int leafLevel;

    /** @param leafLevel level of the entries by which L1 maps L2's memory, 0 without tables for it */
    Nesting(String label, String description, VirtualizationExtension extension, int leafLevel) {
        this.label = label;
        this.description = description;
        this.extension = extension;
        this.leafLevel = leafLevel;
    }

    /** The name by which a user selects it. */
    public String label() {
        return label;
    }

    /** One line for people. */
    public String description() {
        return description;
    }

    /** True if L1 has EPT or nested tables, so that the machine's design has to have nested paging. */
    public boolean hasTables() {
        return leafLevel > 0;
    }

    /** True if these map by 2 MiB. */
    public boolean isLarge() {
        return leafLevel == 2;
    }

    /** Why L1 cannot be under a design that a guest hypervisor finds {@code offered} under, and that has nested paging or not; empty if it can. */
    public String refusal(VirtualizationExtension offered, boolean nests) {
        if (this == NONE || offered == extension && (nests || !hasTables())) {
            return "";
        }
        return offered != extension ? "a guest finds " + offered + " there, and " + label + " needs " + extension
                : "it has no nested paging, which " + label + " needs";
    }

    /** By which extension L1 runs L2; of no meaning without L1. */
    public VirtualizationExtension extension() {
        return extension;
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
