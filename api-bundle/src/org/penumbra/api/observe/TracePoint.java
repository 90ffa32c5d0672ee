package org.penumbra.api.observe;

import java.util.List;
import java.util.Locale;

/**
 * Places at which a hypervisor or an MMU tells what it does, with the names that Linux has for them (v6.12: {@code
 * include/trace/events/kvm.h}, {@code arch/x86/kvm/trace.h}, {@code arch/x86/kvm/mmu/mmutrace.h}). Addresses are in bytes, gfns and pfns in
 * frames; an access is in KVM's {@code ACC_*} bits, a role is {@code role.word} of the MMU that tells it.
 *
 * <p>Fields of mmutrace.h are Linux's. Left out are those that would always be the same here (vcpu_id, which every listener is told; errno,
 * since a split that fails is not told; ret of fast_page_fault, told only when it gave the write) and those that follow from the entry
 * (r, x and u of kvm_mmu_set_spte). Of trace.h those stand here that an engine without instructions has; guest_linear, guest_physical and
 * the address of an exception are not Linux's. Where kvm.h has host-virtual addresses, guest frames stand.
 */
public enum TracePoint {
    KVM_ENTRY("trace.h", "the guest is entered"),
    KVM_EXIT("trace.h", "the guest was left; the reason is the SDM's number", "exit_reason", "info1", "guest_linear", "guest_physical"),
    KVM_PAGE_FAULT("trace.h", "an MMU is asked to resolve a fault", "fault_address", "error_code", "guest_physical"),
    KVM_INJ_VIRQ("trace.h", "an interrupt is injected", "vector"),
    KVM_INJ_EXCEPTION("trace.h", "an exception is injected", "exception", "error_code", "address"),
    KVM_EMULATE_INSN("trace.h", "the hypervisor executes an operation of the guest"),
    KVM_UNMAP_HVA_RANGE("kvm.h", "the frames behind guest frames are about to change", "gfn", "frames"),
    KVM_AGE_HVA("kvm.h", "guest frames are aged", "gfn", "frames"),
    KVM_TEST_AGE_HVA("kvm.h", "it is asked whether guest frames were accessed", "gfn", "frames"),
    KVM_MMU_PAGETABLE_WALK("mmutrace.h", "the guest's tables are walked in software", "addr", "pferr"),
    KVM_MMU_PAGING_ELEMENT("mmutrace.h", "such a walk read an entry", "pte", "level"),
    KVM_MMU_SET_ACCESSED_BIT("mmutrace.h", "such a walk set the A flag of an entry", "gpa"),
    KVM_MMU_SET_DIRTY_BIT("mmutrace.h", "such a walk set the D flag of an entry", "gpa"),
    KVM_MMU_WALKER_ERROR("mmutrace.h", "such a walk found that the access faults", "pferr"),
    KVM_MMU_GET_PAGE("mmutrace.h", "a shadow page was found or made", "mmu_valid_gen", "gfn", "role", "root_count", "unsync", "created"),
    KVM_MMU_SYNC_PAGE("mmutrace.h", "an unsync shadow page is brought in step", "mmu_valid_gen", "gfn", "role", "root_count", "unsync"),
    KVM_MMU_UNSYNC_PAGE("mmutrace.h", "a shadow page goes unsync", "mmu_valid_gen", "gfn", "role", "root_count", "unsync"),
    KVM_MMU_PREPARE_ZAP_PAGE("mmutrace.h", "a shadow page is zapped", "mmu_valid_gen", "gfn", "role", "root_count", "unsync"),
    KVM_MMU_ZAP_ALL_FAST("mmutrace.h", "all shadow pages become obsolete", "mmu_valid_gen", "mmu_used_pages"),
    KVM_MMU_SPTE_REQUESTED("mmutrace.h", "a leaf entry is wanted for a fault", "gfn", "pfn", "level"),
    KVM_MMU_SET_SPTE("mmutrace.h", "a leaf entry was put in place", "gfn", "spte", "sptep", "level"),
    KVM_MMU_SPLIT_HUGE_PAGE("mmutrace.h", "a large leaf is split", "gfn", "spte", "level"),
    MARK_MMIO_SPTE("mmutrace.h", "an MMIO spte was put in place", "sptep", "gfn", "access", "gen"),
    CHECK_MMIO_SPTE("mmutrace.h", "an MMIO spte is used if it is of the current generation", "kvm_gen", "spte_gen", "spte"),
    HANDLE_MMIO_PAGE_FAULT("mmutrace.h", "a fault was answered without a walk: it is an access to a device", "addr", "gfn", "access"),
    FAST_PAGE_FAULT("mmutrace.h", "a write was given by one compare-and-set", "cr2_or_gpa", "error_code", "sptep", "old_spte", "new_spte");

    /** The most fields that a trace point has. */
    public static final int MOST_FIELDS = 6;

    private final String source;
    private final String meaning;
    private final List<String> fields;

    TracePoint(String source, String meaning, String... fields) {
        this.source = source;
        this.meaning = meaning;
        this.fields = List.of(fields);
    }

    /** Linux's name for it: this one in small letters. */
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** The file of Linux that defines it. */
    public String source() {
        return source;
    }

    /** What has happened, in a few words. */
    public String meaning() {
        return meaning;
    }

    /** Names of the fields, in the order in which they are told. */
    public List<String> fields() {
        return fields;
    }
}
