package org.penumbra.vmx;

import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.memory.GuestMemoryException;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.api.svm.SvmIntercepts;
import org.penumbra.api.svm.Vmcb;
import org.penumbra.api.svm.VmcbField;

/**
 * The control area of VMCB12 as VMRUN has found it: what a hypervisor writes there while its guest runs counts from the next VMRUN on. KVM:
 * {@code struct vmcb_ctrl_area_cached}. Immutable.
 */
final class SvmControls {
    private static final long V_TPR = 0xf;
    private static final long V_IRQ = 1 << 8;
    private static final int V_INTR_PRIO_SHIFT = 16;
    private static final long V_IGN_TPR = 1 << 20;
    private static final int V_INTR_VECTOR_SHIFT = 32;
    private static final long V_INTR_MASKING = 1 << 24;
    private static final int IOPM_BYTES = 3 << 12;
    private static final int MSRPM_BYTES = 2 << 12;
    private static final long EVENT_VALID = 1L << 31;
    private static final int EVENT_TYPE_SHIFT = 8;
    private static final int EVENT_EXTERNAL = 0;
    private static final int EVENT_NMI = 2;
    private static final int EVENT_EXCEPTION = 3;
    private static final int EVENT_SOFTWARE = 4;
    private static final long EVENT_ERROR_CODE = 1 << 11;
    /** Vector 2 is NMI's, which is injected as such; vectors from here on are no exceptions. */
    private static final int NMI = 2;
    private static final int EXCEPTIONS = 32;

    private final long cr;
    private final long exceptions;
    private final long[] misc;
    private final long iopm;
    private final long msrpm;
    final int asid;
    final int tlbControl;
    private final long vIntr;
    final long eventInj;
    private final boolean nestedPaging;
    private final long nCr3;

    SvmControls(Vmcb12 v) {
        cr = v.get(VmcbField.INTERCEPT_CR);
        exceptions = v.get(VmcbField.INTERCEPT_EXCEPTION);
        misc = new long[] {v.get(VmcbField.INTERCEPT_MISC1), v.get(VmcbField.INTERCEPT_MISC2), v.get(VmcbField.INTERCEPT_MISC3)};
        iopm = v.get(VmcbField.IOPM_BASE_PA) & -4096L;
        msrpm = v.get(VmcbField.MSRPM_BASE_PA) & -4096L;
        asid = (int) v.get(VmcbField.ASID);
        tlbControl = (int) v.get(VmcbField.TLB_CONTROL);
        vIntr = v.get(VmcbField.V_INTR);
        eventInj = v.get(VmcbField.EVENTINJ);
        nestedPaging = (v.get(VmcbField.NP_ENABLE) & 1) != 0;
        nCr3 = v.get(VmcbField.N_CR3);
    }

    /**
     * May VMRUN enter a guest with these, the host being in {@code host}? APM vol. 2, "Canonicalization and Consistency Checks", "Enabling
     * Nested Paging", "TLB Control"; KVM: __nested_vmcb_check_controls.
     *
     * @param nests there is nested paging
     */
    boolean allowed(PagingState host, boolean nests, int physicalAddressBits) {
        long limit = 1L << physicalAddressBits;
        boolean tlb = tlbControl == Vmcb.TLB_NOTHING || tlbControl == Vmcb.TLB_FLUSH_ALL || tlbControl == Vmcb.TLB_FLUSH_ASID
                || tlbControl == Vmcb.TLB_FLUSH_ASID_BUT_GLOBALS;
        boolean tables = !nestedPaging || nests && host.has0(ControlBits.CR0_PG) && nCr3 >= 0 && nCr3 < limit;
        return intercepts(Vmcb.VMEXIT_VMRUN)
                && asid != 0
                && tlb
                && tables
                && (!intercepts(Vmcb.VMEXIT_IOIO) || within(iopm, IOPM_BYTES, limit))
                && (!intercepts(Vmcb.VMEXIT_MSR) || within(msrpm, MSRPM_BYTES, limit))
                && eventAllowed();
    }

    private static boolean within(long from, int bytes, long limit) {
        return from >= 0 && from + bytes <= limit;
    }

    /** "Event Injection": a type that there is, and for an exception the vector of one. */
    private boolean eventAllowed() {
        switch (injects() ? eventType() : EVENT_EXTERNAL) {
            case EVENT_EXTERNAL:
            case EVENT_NMI:
            case EVENT_SOFTWARE:
                return true;
            case EVENT_EXCEPTION:
                return eventVector() != NMI && eventVector() < EXCEPTIONS;
            default:
                return false;
        }
    }

    /** What is asked for and not modelled, in a few words; empty if it is nothing. */
    String unmodelled(PagingState host) {
        if (nestedPaging && !host.mode().isLong()) {
            return "nested tables of a hypervisor that is in no long mode itself";
        }
        if (hostMasksInterrupts() && !intercepts(Vmcb.VMEXIT_INTR)) {
            return "interrupts for a guest whose RFLAGS.IF does not mask them (V_INTR_MASKING without the intercept of INTR)";
        }
        return "";
    }

    /** True if an exit with {@code code} is intercepted; for I/O and MSRs if any is. */
    boolean intercepts(long code) {
        int word = (int) code >>> 5;
        boolean known = code >= 0 && word <= 5;
        long bits = !known || word == 1 ? 0 : word == 0 ? cr : word == 2 ? exceptions : misc[word - 3];
        return (bits & SvmIntercepts.bit((int) code)) != 0;
    }

    /** True if the I/O permission map intercepts {@code width} bytes from {@code port} on (APM vol. 2, "IOIO Intercepts"). */
    boolean interceptsPort(int port, int width, GuestMemory memory) {
        for (int p = port; p < port + width; p++) {
            if (bit(iopm, p, memory)) {
                return true;
            }
        }
        return false;
    }

    /**
     * True if the MSR permission map intercepts a read, or a write, of {@code msr}: two bits an MSR, of three ranges; all others are intercepted
     * (APM vol. 2, "MSR Intercepts").
     */
    boolean interceptsMsr(int msr, boolean write, GuestMemory memory) {
        int range = msr >>> 13 == 0 ? 0 : msr >>> 13 == 0xc000_0000 >>> 13 ? 1 : msr >>> 13 == 0xc001_0000 >>> 13 ? 2 : -1;
        if (range < 0) {
            return true;
        }
        return bit(msrpm + 0x800L * range, 2 * (msr & 0x1fff) + (write ? 1 : 0), memory);
    }

    /** Bit {@code n} of the map at {@code map}; 1 where no memory is. */
    private static boolean bit(long map, int n, GuestMemory memory) {
        try {
            return (memory.load(map + (n >>> 3), 1) >>> (n & 7) & 1) != 0;
        } catch (GuestMemoryException e) {
            return true;
        }
    }

    /** Bit n: reads of CRn, or writes. */
    int crReads() {
        return (int) cr & 0xffff;
    }

    int crWrites() {
        return (int) (cr >>> 16) & 0xffff;
    }

    /** Bit n: exceptions with vector n. */
    int exceptions() {
        return (int) exceptions;
    }

    /** The tables by which the guest's addresses are translated, in the format of {@code host}'s own; null without nested paging. */
    TranslationRoot.Nested tables(PagingState host) {
        if (!nestedPaging) {
            return null;
        }
        return new TranslationRoot.Nested(nCr3 & -4096L, host.has4(ControlBits.CR4_LA57) ? 5 : 4, host.hasEfer(ControlBits.EFER_NXE));
    }

    /** Interrupts are masked by the host's RFLAGS.IF while the guest runs, not by the guest's. */
    boolean hostMasksInterrupts() {
        return (vIntr & V_INTR_MASKING) != 0;
    }

    boolean injects() {
        return (eventInj & EVENT_VALID) != 0;
    }

    /** Of an NMI the field is ignored. */
    int eventVector() {
        return eventType() == EVENT_NMI ? NMI : (int) eventInj & 0xff;
    }

    private int eventType() {
        return (int) (eventInj >>> EVENT_TYPE_SHIFT) & 7;
    }

    /** False of an exception; an interrupt, be it INTR, NMI or INTn, has neither error code nor address. */
    boolean eventIsInterrupt() {
        return eventType() != EVENT_EXCEPTION;
    }

    /**
     * The vector of the virtual interrupt that is pending and whose priority lets it through, −1 for none (APM vol. 2, "Virtual Interrupts"). The
     * task priority is V_TPR as VMRUN has found it.
     */
    int virtualInterrupt() {
        boolean priority = (vIntr & V_IGN_TPR) != 0 || (vIntr >>> V_INTR_PRIO_SHIFT & 0xf) > (vIntr & V_TPR);
        return (vIntr & V_IRQ) != 0 && priority ? (int) (vIntr >>> V_INTR_VECTOR_SHIFT) & 0xff : -1;
    }

    /** {@code field}, V_INTR, without V_IRQ. */
    static long withoutVirtualInterrupt(long field) {
        return field & ~V_IRQ;
    }

    int eventErrorCode() {
        return (eventInj & EVENT_ERROR_CODE) != 0 ? (int) (eventInj >>> 32) : 0;
    }

    /** EVENTINJ or EXITINTINFO of an event. */
    static long event(int vector, boolean external, boolean hasErrorCode, int errorCode) {
        return EVENT_VALID | vector | (external ? EVENT_EXTERNAL : EVENT_EXCEPTION) << EVENT_TYPE_SHIFT
                | (hasErrorCode ? EVENT_ERROR_CODE | (long) errorCode << 32 : 0);
    }

    /** {@code event} without its valid bit. */
    static long invalid(long event) {
        return event & ~EVENT_VALID;
    }
}
