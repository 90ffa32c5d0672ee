package org.penumbra.api.mmu;

/** What an MMU decided about a fault. KVM: {@code RET_PF_*}. */
public enum Resolution {
    /** The structures are right now (or were already): the guest repeats the access. */
    RETRY,
    /** The access writes to a frame whose writes must be seen: the hypervisor emulates it. */
    EMULATE,
    /** The guest's own tables refuse the access: deliver the page fault in {@link MmuFault#errorCode} to it. */
    INJECT,
    /** No slot has the address: a device access, emulated. */
    MMIO,
    /** The host cannot serve it; {@link MmuFault#reason} says why. */
    HOST_ERROR
}
