package org.penumbra.api.mmu;

import java.util.List;
import org.osgi.annotation.versioning.ConsumerType;
import org.penumbra.api.cpu.VirtualizationExtension;
import org.penumbra.api.paging.PagingState;

/**
 * An MMU design: the service that a plugin bundle publishes, with {@link #MMU_NAME} and {@link #MMU_DIMENSIONS}. Stateless;
 * any thread.
 */
@ConsumerType
public interface MmuFactory {
    /** Service property: the name by which a user selects the design. */
    String MMU_NAME = "mmu.name";
    /** Service property: 1 if the hardware walks tables of the MMU from gva, 2 if it walks the guest's tables and the MMU's. */
    String MMU_DIMENSIONS = "mmu.dimensions";

    /** A setting of the design: recorded with every result, default or not. {@code choices} is empty if any value will do. */
    record Setting(String key, String defaultValue, List<String> choices, String description) {}

    /** One line for people: the design and where it is described. */
    String description();

    /** The settings that {@link MmuHost#setting} may be asked for; keys begin with the design's name and a dot. */
    List<Setting> settings();

    /**
     * Why no MMU of this design can run a guest in {@code state}, in a few words; empty if one can. Asked before an MMU is replaced,
     * while the old one still works.
     */
    default String objection(PagingState state) {
        return "";
    }

    /** True if a guest can be a hypervisor with EPT or nested tables of its own: the MMUs are {@link NestedPaging}. */
    default boolean nests() {
        return false;
    }

    /** The extension by which a processor runs guests under this design, and which a guest finds that is a hypervisor. */
    default VirtualizationExtension extension() {
        return VirtualizationExtension.VMX;
    }

    /**
     * A new MMU for the virtual machine behind {@code host}.
     *
     * @throws IllegalArgumentException if a setting has no meaning, saying which and what would be right
     */
    Mmu create(MmuHost host);
}
