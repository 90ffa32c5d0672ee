package org.penumbra.api.vmx;

/**
 * The contents of a VMCS that a guest hypervisor has made current (VMCS12): a value for each {@link VmcsField}. The processor reads and
 * writes it, too, where VMREAD and VMWRITE do not exit (SDM vol. 3, "VMCS Types: Ordinary and Shadow"). Used by the vCPU's thread.
 */
public final class VmcsRegion {
    /** What every VMX region begins with. A real hypervisor reads it from IA32_VMX_BASIC, which is not modelled. */
    public static final long REVISION = 0x50454e01;

    private final long[] values = new long[VmcsField.values().length];

    public long get(VmcsField field) {
        return values[field.ordinal()];
    }

    /** Sets {@code field} to as many bits of {@code value} as it has. */
    public void set(VmcsField field, long value) {
        values[field.ordinal()] = field.narrow(value);
    }

    /** True if {@code field} has one of {@code bits}. */
    public boolean has(VmcsField field, long bits) {
        return (get(field) & bits) != 0;
    }
}
