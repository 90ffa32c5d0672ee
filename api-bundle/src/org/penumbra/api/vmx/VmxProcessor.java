package org.penumbra.api.vmx;

import org.osgi.annotation.versioning.ProviderType;
import org.penumbra.api.cpu.Processor;

/** A logical processor as a hypervisor uses it, in VMX root operation. Called by the thread that runs the vCPU. */
@ProviderType
public interface VmxProcessor extends Processor {
    /**
     * VM entry with {@code vmcs}: from its return until the next exit the processor is in non-root operation and translates by
     * the guest-state fields. Without VPID it drops the linear and combined mappings of VPID 0 (SDM vol. 3, "VM Entries and
     * Caching of Translation Information"). The exit has charged the whole transition.
     */
    void vmEntry(Vmcs vmcs);

    /** INVVPID type 0: drops what is cached for {@code gva} under {@code vpid}, globals included. */
    void invvpidAddress(int vpid, long gva);

    /** INVVPID type 1: drops everything cached under {@code vpid}, globals included. */
    void invvpidContext(int vpid);

    /** INVEPT type 1: drops guest-physical and combined mappings of the EPT root in {@code eptp}. */
    void inveptContext(long eptp);

    /** INVVPID type 2: drops everything cached under any VPID but 0000H. */
    void invvpidAll();

    /** INVVPID type 3: drops everything cached under {@code vpid} but global translations. */
    void invvpidContextRetainingGlobals(int vpid);

    /** INVEPT type 2: drops guest-physical and combined mappings of every EPT root. */
    void inveptAll();
}
