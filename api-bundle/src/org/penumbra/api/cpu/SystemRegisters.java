package org.penumbra.api.cpu;

/**
 * System registers of a vCPU without influence on translation, and what lies between two instructions: the interrupt shadow, and an event
 * whose delivery a VM exit interrupted. Plain fields; used by the thread that runs the vCPU.
 */
public final class SystemRegisters {
    /** SYSCALL: IA32_STAR, IA32_LSTAR, IA32_CSTAR, IA32_FMASK. */
    public long star;
    public long lstar;
    public long cstar;
    public long fmask;
    /** IA32_KERNEL_GS_BASE, which SWAPGS exchanges with the base of GS. */
    public long kernelGsBase;
    /** IA32_SYSENTER_CS, _ESP, _EIP. */
    public long sysenterCs;
    public long sysenterEsp;
    public long sysenterEip;
    /** IA32_TSC_AUX. */
    public long tscAux;
    /** Added to the retired instructions to give the time-stamp counter. */
    public long tscOffset;
    /** IA32_TSC_ADJUST: what software has added to the counter. */
    public long tscAdjust;
    /** IA32_MISC_ENABLE; see {@link SystemMsrs}. */
    public long miscEnable = SystemMsrs.MISC_ENABLE_AT_RESET;
    /** PAT and MTRRs. A hypervisor keeps those of its guest here. */
    public final MemoryTypeMsrs memoryTypes = new MemoryTypeMsrs();
    /** DR0 to DR3, DR6 and DR7 by number. */
    public final long[] debug = {0, 0, 0, 0, 0, 0, 0xffff_0ff0L, 0x400};
    /** CR8 of a processor without a local APIC, whose register it is elsewhere. */
    public int cr8;
    /** XCR0. */
    public long xcr0 = 1;

    /** Blocking by STI or by MOV SS, until one more instruction has retired (SDM vol. 3, "Masking Exceptions and Interrupts …"). */
    public boolean interruptShadow;

    /** Blocking by NMI, from the delivery of one until IRET (SDM vol. 3, "Handling Multiple NMIs"). */
    public boolean nmiBlocked;

    /** The TSS's I/O permission bitmap has the ports of the I/O instruction that is executed now: IOPL does not matter for it. */
    public boolean portsPermitted;

    /** Bits of DR6 for a #DB that is due before the next instruction (SDM vol. 3, "Pending Debug Exceptions"). */
    public long pendingDebug;

    /** An event is under delivery; a VM exit may have interrupted it (SDM vol. 3, "Information for VM Exits During Event Delivery"). */
    public boolean vectoring;
    public int vectoringVector;
    public boolean vectoringExternal;
    public int vectoringError;
}
