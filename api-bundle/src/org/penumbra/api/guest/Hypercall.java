package org.penumbra.api.guest;

/**
 * What a guest that knows of Penumbra can ask with VMCALL, in KVM's convention: the number in RAX, arguments in RBX and RCX, the result
 * in RAX, negative error numbers among them ({@code Documentation/virt/kvm/x86/hypercalls.rst}). A hypervisor that does not know the
 * number answers −{@link #ENOSYS}, and the guest goes on without.
 */
public final class Hypercall {
    /**
     * Paravirtual switch of address spaces. RBX: a value of CR3; RCX: gpa of 8 aligned bytes of this vCPU, its slot, or 0 to give the
     * slot up. While the slot is not 0 it holds what the guest may load into CR3 instead of its own value, with the same effect and
     * without an exit: the root of the hypervisor's tables, marked by {@link #SHADOW_ROOT}. The hypervisor changes slots whenever the vCPU
     * is outside the guest. Nothing else may be in them, and they are given up before their memory is used for something else.
     */
    public static final int CR3_SLOT = 0x5043;

    /**
     * Tells a root of the hypervisor from a CR3 of the guest, which leaves this bit clear: the processor ignores bits 11:5 of CR3 as long
     * as CR4.PCIDE = 0 (SDM vol. 3, "Use of CR3 with 4-Level Paging and 5-Level Paging and CR4.PCIDE = 0").
     */
    public static final long SHADOW_ROOT = 1 << 11;

    /** KVM_ENOSYS. */
    public static final int ENOSYS = 1000;
    /** KVM_EFAULT. */
    public static final int EFAULT = 14;
    /** KVM_EPERM: asked by a user. */
    public static final int EPERM = 1;

    private Hypercall() {}
}
