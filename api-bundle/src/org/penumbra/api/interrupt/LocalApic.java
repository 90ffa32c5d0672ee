package org.penumbra.api.interrupt;

import org.osgi.annotation.versioning.ProviderType;

/**
 * The registers of one vCPU's local APIC as its guest reaches them: in a page of memory, or, in x2APIC mode, by MSRs (SDM vol. 3, "Advanced
 * Programmable Interrupt Controller"). Used by the thread that runs the vCPU.
 */
@ProviderType
public interface LocalApic {
    /** IA32_APIC_BASE: 8 BSP, 10 x2APIC mode, 11 enabled, from 12 on the address of the page. */
    long base();

    /** Writes IA32_APIC_BASE; false, without effect, where that is #GP (SDM vol. 3, "x2APIC State Transitions"). */
    boolean base(long value);

    /** True if the page is at {@code gpa}; it stays there while the APIC is disabled, and reads as ones. */
    boolean holds(long gpa);

    /** Reads {@code width} bytes of the page at {@code gpa}, which is in it. */
    long load(long gpa, int width);

    /** Writes {@code width} bytes of the page at {@code gpa}, which is in it; those that are not 4 at the begin of a register have no effect. */
    void store(long gpa, int width, long value);

    /** True if {@code msr} is a register of x2APIC mode, in which the APIC is. */
    boolean holdsMsr(int msr);

    /** True if it is one, and RDMSR is not #GP: the EOI and self-IPI registers can only be written. */
    default boolean readsMsr(int msr) {
        return holdsMsr(msr);
    }

    /** Reads the register behind {@code msr}, which is one. */
    long readMsr(int msr);

    /** Writes the register behind {@code msr}, which is one; false, without effect, where that is #GP. */
    boolean writeMsr(int msr, long value);

    /** The task priority register, 0 to 255; its bits 7:4 are CR8. */
    int taskPriority();

    /** Writes the task priority register, as MOV to CR8 does. */
    void taskPriority(int value);

    /** True if the guest has enabled it, so that CPUID says it is there. */
    default boolean enabled() {
        return (base() >>> 11 & 1) != 0;
    }
}
