package org.penumbra.api.observe;

import org.osgi.annotation.versioning.ConsumerType;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.TranslationRoot;

/**
 * Told of everything that the architecture lets a guest see of address translation: each use of a translation, each store, each
 * page fault, each invalidation. A checked run compares them with the specification. Called on the thread of the vCPU, in
 * program order: {@code translated} before the access takes effect, the others when it has.
 */
@ConsumerType
public interface TranslationObserver {
    /** vCPU {@code vcpu} uses the translation of {@code gva} to {@code hpa} for an access of kind {@code access}, within a page. */
    void translated(int vcpu, long gva, int access, long hpa);

    /** {@code bytes} (1 to 8, within a frame) at {@code hpa} were written by software: guest, or hypervisor in its stead. */
    void written(long hpa, int bytes);

    /**
     * The processor itself wrote the paging-structure entry at {@code hpa} (accessed or dirty flag), or read it in a way that counts
     * as a write (SDM vol. 3, "Accessed and Dirty Flags for EPT").
     */
    void updated(long hpa);

    /** The host has put guest frame {@code gfn} elsewhere; no processor holds a translation of it any more. */
    void moved(long gfn);

    /** A #PF for {@code gva} with {@code errorCode} is delivered to the guest; {@code ac}: with EFLAGS.AC set. */
    void pageFault(int vcpu, long gva, int errorCode, boolean ac);

    /** The guest's INVLPG of {@code gva} retired. */
    void invalidatedPage(int vcpu, long gva);

    /** The guest's INVPCID of {@code type} with {@code pcid} and {@code gva} in its descriptor retired. */
    void invalidatedPcid(int vcpu, int type, int pcid, long gva);

    /**
     * The guest's paging state is now {@code state}; called at boot, when a MOV to CR3 retired, and when a MOV to CR0 or CR4, a
     * WRMSR, or a WRPKRU that changed the state retired. So what changes no other register is a MOV to CR3, with the flush that goes
     * with it.
     *
     * @param keepPcid it was a MOV to CR3, with bit 63 of its operand set and CR4.PCIDE = 1
     */
    void loaded(int vcpu, PagingState state, boolean keepPcid);

    /**
     * The guest, which is a hypervisor, has entered a guest of its own: from now on the calls for this vCPU are about that.
     *
     * @param tag the VPID that the guest gave it, 0 without "enable VPID"; under SVM its ASID
     * @param tables12 the root of EPT or nested tables, in the guest's memory, by which the guest translates its guest-physical addresses; null
     *     without such
     * @param state its paging state
     */
    default void enteredNested(int vcpu, int tag, TranslationRoot tables12, PagingState state) {}

    /** The guest of the guest has left for its hypervisor, whose paging state is {@code state}. */
    default void leftNested(int vcpu, PagingState state) {}

    /** The guest's INVEPT retired: of everything, or of what is tagged with {@code eptp}. */
    default void invalidatedEpt(int vcpu, boolean all, long eptp) {}

    /**
     * VMRUN of the guest drops what is cached: everything, or all that is tagged with {@code asid}, guest-physical mappings with it (APM vol. 2,
     * "TLB Control"); called before {@link #enteredNested}.
     */
    default void flushedAsid(int vcpu, boolean all, int asid) {}

    /** The guest's INVVPID of {@code type} retired (SDM vol. 3, "INVVPID—Invalidate Translations Based on VPID"), or what means the same of an ASID. */
    default void invalidatedVpid(int vcpu, int type, int vpid, long gva) {}

    /**
     * The guest is told that its EPT or nested tables refuse its guest an access to the guest-physical address {@code gpa}; called before
     * {@link #leftNested}.
     *
     * @param gva the linear address that was translated when it happened; entries of its walk may be cached
     * @param code the exit qualification of an EPT violation, −1 of an EPT misconfiguration; EXITINFO1 of a nested page fault
     */
    default void stageRefused(int vcpu, long gva, long gpa, long code) {}
}
