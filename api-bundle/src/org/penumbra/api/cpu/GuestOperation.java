package org.penumbra.api.cpu;

/**
 * The operation at which an engine stopped, as the hypervisor needs it to emulate: what KVM's emulator decodes from the
 * instruction bytes. Mutable and reused by its engine; valid from the stop until the next {@code run}.
 */
public final class GuestOperation {
    /** What the operation does. */
    public enum Kind {
        FETCH, LOAD, STORE, UPDATE, INVLPG, MOV_TO_CR0, MOV_TO_CR3, MOV_TO_CR4, HLT, OUT, VMCALL, WRMSR, INVPCID, CHANGE_PRIVILEGE
    }

    public Kind kind;
    /** Linear address of a memory operand, or the operand of INVLPG; for INVPCID that in the descriptor, its second 8 bytes. */
    public long gva;
    /** Bytes of the memory or port operand. */
    public int width;
    /**
     * Value to be stored, operand of an update, new value of a control register, or value to be put out; for INVPCID the first 8
     * bytes of the descriptor: the PCID in bits 11:0, the others reserved; for CHANGE_PRIVILEGE the new RFLAGS.
     */
    public long value;
    /** For UPDATE: an {@link UpdateFunction}. For INVPCID: the type, as the register operand has it. For CHANGE_PRIVILEGE: the new CPL. */
    public int function;
    /** For OUT: the port. */
    public int port;
    /** For WRMSR: the MSR. */
    public int msr;
}
