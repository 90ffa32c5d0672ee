package org.penumbra.api.deprivileged;

import org.osgi.annotation.versioning.ProviderType;
import org.penumbra.api.cpu.Processor;

/** A logical processor as a monitor without VMX and SVM uses it. Called by the thread that runs the vCPU. */
@ProviderType
public interface DeprivilegingProcessor extends Processor {
    /**
     * IRET to {@code guest}: from its return until the next trap, an {@link org.penumbra.api.cpu.Outcome#EXIT}, the processor runs the
     * guest at CPL 3, whatever privilege the register file says it believes to have. Every access is one of user mode. Every exception goes
     * through the monitor's own IDT, and so does every external interrupt: the real IF is 1. A privileged operation is #GP(0), a VMCALL #UD
     * (SDM vol. 3, "Privileged Instructions"; vol. 2, "VMCALL"), which the record of the exit tells as
     * {@link org.penumbra.api.vmx.ExitReason#EXCEPTION_NMI} with its vector; so it does {@link Processor#changePrivilege}.
     *
     * @throws IllegalStateException if the guest would not be kept in, saying why
     */
    void enterDeprivileged(DeprivilegedGuest guest);

    /** INVLPG by the monitor: drops what is cached for {@code gva} of the guest. */
    void dropDeprivileged(long gva);
}
