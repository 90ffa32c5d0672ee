package org.penumbra.api.svm;

/**
 * Where the fields of a VMCB lie that a guest hypervisor keeps in its memory (VMCB12): APM vol. 2, appendix "Layout of VMCB". What stands
 * there besides is not looked at. A segment register is 16 bytes: selector, attributes, limit, base.
 */
public enum VmcbField {
    /** Bit n: reads of CRn; bit 16 + n: writes of it. */
    INTERCEPT_CR(0x000, 4),
    /** Bit n: exceptions with vector n. */
    INTERCEPT_EXCEPTION(0x008, 4),
    /** Bits by the exit codes from 60h, 80h and A0h on: {@link SvmIntercepts}. */
    INTERCEPT_MISC1(0x00c, 4),
    INTERCEPT_MISC2(0x010, 4),
    INTERCEPT_MISC3(0x014, 4),
    IOPM_BASE_PA(0x040, 8),
    MSRPM_BASE_PA(0x048, 8),
    ASID(0x058, 4),
    TLB_CONTROL(0x05c, 1),
    /** Bits 7:0 V_TPR, 8 V_IRQ, 19:16 V_INTR_PRIO, 20 V_IGN_TPR, 24 V_INTR_MASKING, 39:32 V_INTR_VECTOR. */
    V_INTR(0x060, 8),
    /** Bit 0: an interrupt shadow. */
    INTERRUPT_SHADOW(0x068, 8),
    EXITCODE(0x070, 8),
    EXITINFO1(0x078, 8),
    EXITINFO2(0x080, 8),
    /** As {@link #EVENTINJ}. */
    EXITINTINFO(0x088, 8),
    /** Bit 0. */
    NP_ENABLE(0x090, 8),
    /** Bits 7:0 vector, 10:8 type (0 interrupt, 2 NMI, 3 exception, 4 software interrupt), 11 there is an error code, 31 valid, 63:32 error code. */
    EVENTINJ(0x0a8, 8),
    N_CR3(0x0b0, 8),
    ES(0x400, 16),
    CS(0x410, 16),
    SS(0x420, 16),
    DS(0x430, 16),
    FS(0x440, 16),
    GS(0x450, 16),
    GDTR(0x460, 16),
    LDTR(0x470, 16),
    IDTR(0x480, 16),
    TR(0x490, 16),
    CPL(0x4cb, 1),
    EFER(0x4d0, 8),
    CR4(0x548, 8),
    CR3(0x550, 8),
    CR0(0x558, 8),
    DR7(0x560, 8),
    DR6(0x568, 8),
    RFLAGS(0x570, 8),
    RIP(0x578, 8),
    RSP(0x5d8, 8),
    RAX(0x5f8, 8),
    STAR(0x600, 8),
    LSTAR(0x608, 8),
    CSTAR(0x610, 8),
    SFMASK(0x618, 8),
    KERNEL_GS_BASE(0x620, 8),
    SYSENTER_CS(0x628, 8),
    SYSENTER_ESP(0x630, 8),
    SYSENTER_EIP(0x638, 8),
    CR2(0x640, 8);

    private final int offset;
    private final int bytes;

    VmcbField(int offset, int bytes) {
        this.offset = offset;
        this.bytes = bytes;
    }

    /** Bytes from the beginning of the VMCB. */
    public int offset() {
        return offset;
    }

    /** Its size: 1, 4 or 8, of a segment register 16. */
    public int bytes() {
        return bytes;
    }
}
