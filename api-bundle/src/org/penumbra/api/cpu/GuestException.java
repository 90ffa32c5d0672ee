package org.penumbra.api.cpu;

/**
 * An exception or external interrupt on its way to the guest. Mutable and reused, so that a fault allocates nothing: copy what must outlive the next
 * operation.
 */
public final class GuestException {
    /** #DE … SDM vol. 3, "Exceptions and Interrupts Vectors". */
    public static final int NMI = 2;
    public static final int UD = 6;
    public static final int GP = 13;
    public static final int PF = 14;
    /** #VE, virtualization exception: an EPT violation that the guest handles itself. */
    public static final int VE = 20;

    /** Vector number. */
    public int vector;
    /** Error code, for vectors that have one. */
    public int errorCode;
    /** True for an external interrupt or an NMI, which has neither error code nor address. */
    public boolean external;
    /** For #PF: the faulting linear address, which delivery puts into CR2. */
    public long address;

    /** True if a hypervisor that is a guest itself injects it, for what its own tables say: the processor's say nothing about it. */
    public boolean nested;

    /** Sets all fields. */
    public void set(int vector, int errorCode, long address) {
        this.vector = vector;
        this.errorCode = errorCode;
        this.address = address;
        this.external = false;
        this.nested = false;
    }

    /** Makes it an external interrupt. */
    public void setExternal(int interruptVector) {
        set(interruptVector, 0, 0);
        external = true;
    }
}
