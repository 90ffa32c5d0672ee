package org.penumbra.api.vmx;

import java.util.Arrays;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Fields of a VMCS with their encodings (SDM vol. 3, appendix "Field Encoding in VMCS"), under KVM's names: those that the hypervisor of a
 * guest hypervisor keeps for it (VMCS12).
 *
 * <pre>
 *  encoding   bit 0      access to the high half of a 64-bit field
 *             bits 9:1   index
 *             bits 11:10 type: 0 control, 1 VM-exit information (read-only), 2 guest state, 3 host state
 *             bits 14:13 width: 0 16 bits, 1 64 bits, 2 32 bits, 3 natural
 * </pre>
 */
public enum VmcsField {
    VIRTUAL_PROCESSOR_ID(0x0000),
    EPTP_INDEX(0x0004),
    GUEST_PML_INDEX(0x0812),
    PML_ADDRESS(0x200e),
    VM_FUNCTION_CONTROL(0x2018),
    EPT_POINTER(0x201a),
    EPTP_LIST_ADDRESS(0x2024),
    VE_INFORMATION_ADDRESS(0x202a),
    VMCS_LINK_POINTER(0x2800),
    GUEST_PHYSICAL_ADDRESS(0x2400),
    GUEST_IA32_EFER(0x2806),
    GUEST_PDPTR0(0x280a),
    GUEST_PDPTR1(0x280c),
    GUEST_PDPTR2(0x280e),
    GUEST_PDPTR3(0x2810),
    HOST_IA32_EFER(0x2c02),
    PIN_BASED_VM_EXEC_CONTROL(0x4000),
    CPU_BASED_VM_EXEC_CONTROL(0x4002),
    EXCEPTION_BITMAP(0x4004),
    VM_EXIT_CONTROLS(0x400c),
    VM_ENTRY_CONTROLS(0x4012),
    VM_ENTRY_INTR_INFO_FIELD(0x4016),
    VM_ENTRY_EXCEPTION_ERROR_CODE(0x4018),
    SECONDARY_VM_EXEC_CONTROL(0x401e),
    VM_INSTRUCTION_ERROR(0x4400),
    VM_EXIT_REASON(0x4402),
    VM_EXIT_INTR_INFO(0x4404),
    VM_EXIT_INTR_ERROR_CODE(0x4406),
    IDT_VECTORING_INFO_FIELD(0x4408),
    VM_EXIT_INSTRUCTION_LEN(0x440c),
    GUEST_SS_AR_BYTES(0x4818),
    GUEST_ACTIVITY_STATE(0x4826),
    CR0_GUEST_HOST_MASK(0x6000),
    CR4_GUEST_HOST_MASK(0x6002),
    CR0_READ_SHADOW(0x6004),
    CR4_READ_SHADOW(0x6006),
    EXIT_QUALIFICATION(0x6400),
    GUEST_LINEAR_ADDRESS(0x640a),
    GUEST_CR0(0x6800),
    GUEST_CR3(0x6802),
    GUEST_CR4(0x6804),
    GUEST_RIP(0x681e),
    GUEST_RFLAGS(0x6820),
    HOST_CR0(0x6c00),
    HOST_CR3(0x6c02),
    HOST_CR4(0x6c04);

    private static final Map<Integer, VmcsField> BY_ENCODING =
            Arrays.stream(values()).collect(Collectors.toUnmodifiableMap(VmcsField::encoding, f -> f));
    private static final int EXIT_INFORMATION = 1;

    private final int encoding;

    VmcsField(int encoding) {
        this.encoding = encoding;
    }

    /** The SDM's encoding. */
    public int encoding() {
        return encoding;
    }

    /** The field with {@code encoding}; null if there is none here. */
    public static VmcsField of(int encoding) {
        return BY_ENCODING.get(encoding);
    }

    /** True of VM-exit information, which VMWRITE does not write (IA32_VMX_MISC[29] = 0). */
    public boolean readOnly() {
        return (encoding >>> 10 & 3) == EXIT_INFORMATION;
    }

    /** {@code value} as the field can hold it: 16, 32 or 64 bits of it. */
    public long narrow(long value) {
        switch (encoding >>> 13 & 3) {
            case 0:
                return value & 0xffff;
            case 2:
                return value & 0xffff_ffffL;
            default:
                return value;
        }
    }
}
