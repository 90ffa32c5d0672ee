/**
 * Shadow paging: tables that translate in one step what a guest's own tables and the memory slots translate in two, kept in step with
 * both (Linux: {@code Documentation/virt/kvm/x86/mmu.rst}). {@link org.penumbra.kit.shadow.ShadowPaging} is the MMU.
 */
package org.penumbra.kit.shadow;
