package org.penumbra.api.mmu;

/**
 * A fault for an MMU to resolve, and its answer's details. Mutable; nothing of it may be kept.
 *
 * <p>Under one-dimensional translation it is a #PF: {@link #gva}, {@link #errorCode}. Under two-dimensional translation it is an
 * EPT violation or nested page fault: {@link #gpa}, {@link #qualification}. Under
 * {@link org.penumbra.api.paging.TranslationRoot.Switching} it is either; {@link #qualification} is 0 for a #PF and for nothing else.
 * What the guest's own tables refuse may come so, too, in a guest whose hypervisor intercepts page faults.
 */
public final class MmuFault {
    /** Linear address. */
    public long gva;
    /** Guest-physical address: given for two dimensions; found by the MMU and set for one. */
    public long gpa;
    /** Kind of {@link org.penumbra.api.paging.Access}. */
    public int access;
    /** #PF error code: as the processor reported it; set by the MMU to what the guest is to get with {@link Resolution#INJECT}. */
    public int errorCode;
    /**
     * Exit qualification of an EPT violation ({@link org.penumbra.api.paging.EptViolation}), or EXITINFO1 of a nested page fault
     * ({@link org.penumbra.api.paging.NestedPageFault}).
     */
    public long qualification;
    /**
     * By a {@link NestedContext}: what is to be injected is for the guest hypervisor, an EPT violation or nested page fault at {@link #gpa}
     * with {@link #qualification}; or, if {@link #misconfigured}, an EPT misconfiguration; or, if {@link #logFull}, a full page-modification log.
     */
    public boolean nested;
    public boolean misconfigured;
    public boolean logFull;
    /** Of an EPT violation for the guest hypervisor: bit 63 of the entry at which the walk of its tables ended, or no entry says anything ("suppress #VE"). */
    public boolean suppressVe;
    /** With {@link Resolution#HOST_ERROR}: one line that says what is wrong and where. */
    public String reason;
}
