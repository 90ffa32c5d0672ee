package org.penumbra.api.clock;

/**
 * The kinds of work that take simulated cycles. Each is priced by the figure {@link #key()} of the {@link CostProfile}.
 *
 * <p>The processor charges the first group, the hypervisor's handles the second, so that an MMU pays for each step it takes
 * with the same prices as every other MMU.
 */
public enum Work {
    /** One retired guest operation that hits the first-level TLB. */
    OPERATION("cpu.operation"),
    /** A first-level miss that the second-level TLB serves. */
    STLB_HIT("tlb.second-level-hit"),
    /** One memory reference of a page walk, guest or host dimension, on a processor without a model of data caches. */
    WALK_REFERENCE("walk.reference"),
    /** One memory reference of a page walk that the first-level data cache serves. */
    WALK_L1("walk.reference.l1"),
    /** One memory reference of a page walk that the second-level cache serves. */
    WALK_L2("walk.reference.l2"),
    /** One memory reference of a page walk that the last-level cache serves. */
    WALK_LLC("walk.reference.llc"),
    /** One memory reference of a page walk that no cache serves. */
    WALK_MEMORY("walk.reference.memory"),
    /** A page-structure update by the walker: setting an accessed or dirty bit with a locked access. */
    WALK_UPDATE("walk.update"),
    /** Delivery of an exception through the guest's IDT, and its IRET. */
    EXCEPTION("cpu.exception"),
    /** A serialising or privileged operation that does not exit (MOV CR3, INVLPG …). */
    PRIVILEGED("cpu.privileged"),
    /** VM exit, the hypervisor's entry and exit path, and VM entry; #VMEXIT and VMRUN where the processor has SVM. */
    EXIT("cpu.exit"),
    /** An exception of a de-privileged guest through the monitor's IDT, the monitor's entry and exit path, and the IRET back. */
    TRAP("cpu.trap"),

    /** One 8-byte load through a hypervisor handle. */
    LOAD("hypervisor.load"),
    /** One 8-byte store through a hypervisor handle. */
    STORE("hypervisor.store"),
    /** One locked compare-and-set through a hypervisor handle. */
    COMPARE_AND_SET("hypervisor.compare-and-set"),
    /** One probe of a hash table (shadow page lookup, reverse map …). */
    HASH_PROBE("hypervisor.hash-probe"),
    /** Allocation and clearing of one 4 KiB frame. */
    FRAME("hypervisor.frame"),
    /** Finding the slot and the host page of a guest frame. */
    SLOT_LOOKUP("hypervisor.slot-lookup"),
    /** Decoding and executing one instruction in the hypervisor's emulator. */
    EMULATION("hypervisor.emulation"),
    /**
     * Merging a guest hypervisor's VMCS with the host's before its guest is entered, or taking the two apart after an exit that it sees,
     * without the memory accesses.
     */
    NESTED_SWITCH("hypervisor.nested-switch"),
    /** Dropping one linear address from this processor's TLBs. */
    FLUSH_PAGE("hypervisor.flush-page"),
    /** Dropping a context from this processor's TLBs. */
    FLUSH_CONTEXT("hypervisor.flush-context"),
    /** An inter-processor interrupt and its acknowledgement. */
    IPI("hypervisor.ipi");

    static final int COUNT = values().length;

    private final String key;

    Work(String key) {
        this.key = key;
    }

    /** The figure's name in a cost profile. */
    public String key() {
        return key;
    }
}
