package org.penumbra.api.cpu;

/**
 * The operation at which an engine stopped, as the hypervisor needs it to emulate: what KVM's emulator decodes from the
 * instruction bytes. Mutable and reused by its engine; valid from the stop until the next {@code run}.
 */
public final class GuestOperation {
    /** What the operation does. */
    public enum Kind {
        FETCH, LOAD, STORE, UPDATE, INVLPG, MOV_TO_CR0, MOV_TO_CR3, MOV_TO_CR4, HLT, OUT, VMCALL, WRMSR, INVPCID, MOV_FROM_CR3, IN, RDMSR, CPUID,
        SHUTDOWN, VMX, SVM, CHANGE_PRIVILEGE, XSETBV, TASK_SWITCH, MOV_TO_CR8, MOV_FROM_CR8
    }

    public Kind kind;
    /** Linear address of a memory operand, or the operand of INVLPG; for INVPCID that in the descriptor, its second 8 bytes. */
    public long gva;
    /** Bytes of the memory or port operand. */
    public int width;
    /**
     * Value to be stored, operand of an update, new value of a control register, or value to be put out; for INVPCID the first 8
     * bytes of the descriptor: the PCID in bits 11:0, the others reserved; for CHANGE_PRIVILEGE the new RFLAGS. For MOV_FROM_CR3 and IN a
     * handler puts the result here before it skips the operation.
     */
    public long value;
    /** For UPDATE: an {@link UpdateFunction}. For INVPCID: the type, as the register operand has it. For CHANGE_PRIVILEGE: the new CPL. For XSETBV: the register. */
    public int function;
    /** For OUT and IN: the port. */
    public int port;
    /** For WRMSR and RDMSR: the MSR. RDMSR and CPUID leave their results in the registers. */
    public int msr;
    /**
     * For VMX, an instruction of a hypervisor: {@link #function} is the number of its {@link org.penumbra.api.vmx.ExitReason}, this the
     * encoding of a field, or the type of INVEPT and INVVPID; {@link #value} the pointer to a VMCS or VMXON region, the source of VMWRITE, or
     * the first 8 bytes of a descriptor. For SVM {@link #function} is the same, the operands are in the registers.
     */
    public int field;
}
