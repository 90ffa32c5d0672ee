package org.penumbra.api.vmx;

/**
 * Basic exit reasons with the numbers of SDM vol. 3, appendix "VMX Basic Exit Reasons", and KVM's names. An exit of SVM has the reason
 * that means the same; those that have no counterpart stand last, under numbers of ours.
 */
public enum ExitReason {
    EXCEPTION_NMI(0),
    EXTERNAL_INTERRUPT(1),
    TRIPLE_FAULT(2),
    INIT(3),
    SIPI(4),
    INTERRUPT_WINDOW(7),
    NMI_WINDOW(8),
    TASK_SWITCH(9),
    CPUID(10),
    GETSEC(11),
    HLT(12),
    INVD(13),
    INVLPG(14),
    RDPMC(15),
    RDTSC(16),
    RSM(17),
    VMCALL(18),
    VMCLEAR(19),
    VMLAUNCH(20),
    VMPTRLD(21),
    VMPTRST(22),
    VMREAD(23),
    VMRESUME(24),
    VMWRITE(25),
    VMXOFF(26),
    VMXON(27),
    CR_ACCESS(28),
    DR_ACCESS(29),
    IO_INSTRUCTION(30),
    MSR_READ(31),
    MSR_WRITE(32),
    INVALID_GUEST_STATE(33),
    MSR_LOADING(34),
    MWAIT(36),
    MONITOR_TRAP_FLAG(37),
    MONITOR(39),
    PAUSE_INSTRUCTION(40),
    MCE_DURING_VMENTRY(41),
    TPR_BELOW_THRESHOLD(43),
    APIC_ACCESS(44),
    EOI_INDUCED(45),
    GDTR_IDTR(46),
    LDTR_TR(47),
    EPT_VIOLATION(48),
    EPT_MISCONFIG(49),
    INVEPT(50),
    RDTSCP(51),
    PREEMPTION_TIMER(52),
    INVVPID(53),
    WBINVD(54),
    XSETBV(55),
    APIC_WRITE(56),
    RDRAND(57),
    INVPCID(58),
    VMFUNC(59),
    ENCLS(60),
    RDSEED(61),
    PML_FULL(62),
    XSAVES(63),
    XRSTORS(64),
    SPP_EVENT(66),
    UMWAIT(67),
    TPAUSE(68),
    BUS_LOCK(74),
    NOTIFY(75),
    /** Nested page fault (APM vol. 2, "SVM Intercept Exit Codes": 400h). */
    NPF(76),
    /** Instructions of SVM (80h, 82h to 85h and 7Ah there). */
    VMRUN(77),
    VMLOAD(78),
    VMSAVE(79),
    STGI(80),
    CLGI(81),
    INVLPGA(82);

    /** One more than the largest number. */
    public static final int LIMIT = 83;

    private static final ExitReason[] BY_NUMBER = new ExitReason[LIMIT];

    static {
        for (ExitReason r : values()) {
            BY_NUMBER[r.number] = r;
        }
    }

    private final int number;

    ExitReason(int number) {
        this.number = number;
    }

    /** The SDM's number, or ours. */
    public int number() {
        return number;
    }

    /**
     * The reason with {@code number}.
     *
     * @throws IllegalArgumentException if the SDM defines none
     */
    public static ExitReason of(int number) {
        ExitReason r = number < 0 || number >= LIMIT ? null : BY_NUMBER[number];
        if (r == null) {
            throw new IllegalArgumentException("no exit reason has number " + number);
        }
        return r;
    }
}
