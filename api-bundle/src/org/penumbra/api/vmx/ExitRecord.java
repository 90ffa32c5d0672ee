package org.penumbra.api.vmx;

/**
 * The VM-exit information fields (SDM vol. 3, "VM-Exit Information Fields"). An exit of SVM, whose own fields are in the VMCB, is told
 * here in the same terms. Mutable, one per processor, overwritten by the next
 * exit, so that an exit allocates nothing.
 */
public final class ExitRecord {
    /** Basic exit reason, an SDM number ({@link ExitReason#number()}). */
    public int reason;
    /**
     * Exit qualification: for #PF and INVLPG the linear address; for EPT violations see
     * {@link org.penumbra.api.paging.EptViolation}, for nested page faults {@link org.penumbra.api.paging.NestedPageFault}; for control-register accesses and I/O see {@link ExitQualification}.
     */
    public long qualification;
    /** Guest-linear address, where the reason defines it. */
    public long guestLinear;
    /** Guest-physical address, for EPT violations and misconfigurations, and for nested page faults. */
    public long guestPhysical;
    /** Vector of an intercepted exception. */
    public int vector;
    /** Error code of an intercepted exception. */
    public int errorCode;
    /** The {@link org.penumbra.api.paging.Access} kind that faulted, for #PF, EPT violations and nested page faults. */
    public int access;

    /** Starts a new record: sets reason and qualification, clears the rest. */
    public void start(ExitReason exitReason, long exitQualification) {
        reason = exitReason.number();
        qualification = exitQualification;
        guestLinear = 0;
        guestPhysical = 0;
        vector = 0;
        errorCode = 0;
        access = 0;
    }
}
