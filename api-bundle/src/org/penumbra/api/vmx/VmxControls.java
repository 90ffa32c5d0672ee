package org.penumbra.api.vmx;

/** Bits of the VM-execution, VM-exit and VM-entry controls that VMCS12 has (SDM vol. 3, "VM-Execution Control Fields" and the two after it). */
public final class VmxControls {
    /** Pin-based: external-interrupt exiting. */
    public static final long PIN_EXTERNAL_INTERRUPT = 1;

    /** Primary processor-based controls. */
    public static final long HLT_EXITING = 1 << 7;
    public static final long INVLPG_EXITING = 1 << 9;
    public static final long CR3_LOAD_EXITING = 1 << 15;
    public static final long UNCONDITIONAL_IO_EXITING = 1 << 24;
    public static final long ACTIVATE_SECONDARY = 1L << 31;

    /** Secondary processor-based controls. */
    public static final long ENABLE_EPT = 1 << 1;
    public static final long ENABLE_VPID = 1 << 5;
    public static final long UNRESTRICTED_GUEST = 1 << 7;
    public static final long ENABLE_INVPCID = 1 << 12;
    public static final long ENABLE_VM_FUNCTIONS = 1 << 13;
    public static final long ENABLE_PML = 1 << 17;
    public static final long EPT_VIOLATION_VE = 1 << 18;

    /** VM-entry controls: load IA32_EFER. */
    public static final long ENTRY_LOAD_EFER = 1 << 15;
    /** VM-exit controls: load IA32_EFER. */
    public static final long EXIT_LOAD_EFER = 1 << 21;

    /** Interruption information: valid; type in bits 10:8; an error code is delivered. */
    public static final long INTR_VALID = 1L << 31;
    public static final int INTR_TYPE_SHIFT = 8;
    public static final int INTR_HARD_EXCEPTION = 3;
    public static final long INTR_ERROR_CODE = 1 << 11;

    /** Exit reason: VM entry failed. */
    public static final long ENTRY_FAILURE = 1L << 31;

    private VmxControls() {}
}
