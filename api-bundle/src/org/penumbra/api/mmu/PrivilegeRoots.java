package org.penumbra.api.mmu;

import org.osgi.annotation.versioning.ConsumerType;

/**
 * A {@link MmuContext} of a de-privileged guest, whose kernel and user programs both run at CPL 3: U/S of an entry cannot keep them apart, so
 * each has a root of its own. Called by the thread that runs the vCPU, never while it is in the guest.
 */
@ConsumerType
public interface PrivilegeRoots {
    /**
     * Whose root {@link MmuContext#root} answers from now on: that of the guest's kernel, or of its user programs; the kernel's at first.
     * Told before an entry. On return nothing that belongs to the other alone is reachable from this vCPU.
     */
    void selectPrivilege(boolean kernel);
}
