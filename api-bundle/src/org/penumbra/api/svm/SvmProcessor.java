package org.penumbra.api.svm;

import org.osgi.annotation.versioning.ProviderType;
import org.penumbra.api.cpu.Processor;

/** A logical processor as a hypervisor for SVM uses it. Called by the thread that runs the vCPU. */
@ProviderType
public interface SvmProcessor extends Processor {
    /**
     * VMRUN: from its return until the next #VMEXIT, an {@link org.penumbra.api.cpu.Outcome#EXIT} whose reason is in {@code vmcb}, the
     * processor runs the guest whose registers are in the register file.
     *
     * @throws IllegalStateException if {@code vmcb} is not consistent (VMEXIT_INVALID), saying why
     */
    void vmrun(Vmcb vmcb);

    /** INVLPGA: drops what is cached for {@code gva} under {@code asid}. */
    void invlpga(int asid, long gva);
}
