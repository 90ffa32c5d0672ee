package org.penumbra.testkit.nested;

import java.util.HashMap;
import java.util.Map;
import org.penumbra.api.cpu.Msr;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.svm.SvmIntercepts;
import org.penumbra.api.svm.Vmcb;
import org.penumbra.api.svm.VmcbField;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.testkit.script.Script;

/** A hypervisor by SVM: APM vol. 2, "Secure Virtual Machine". It leaves GIF as #VMEXIT has it, as there is nothing that would interrupt it. */
final class SvmHypervisor extends Hypervisor {
    private static final VmcbField[] ASKED = {VmcbField.EXITCODE, VmcbField.EXITINFO2, VmcbField.RIP, VmcbField.RAX};
    private static final int CODE = 0;
    private static final int INFO2 = 1;
    private static final int RIP = 2;
    private static final int RAX = 3;
    private static final int RFLAGS = 2;
    /** Valid, with an error code, an exception. */
    private static final long INJECT = 1L << 31 | 1 << 11 | 3 << 8;
    /** TLB_CONTROL, the strongest last. */
    private static final int[] FLUSHES = {Vmcb.TLB_NOTHING, Vmcb.TLB_FLUSH_ASID_BUT_GLOBALS, Vmcb.TLB_FLUSH_ASID, Vmcb.TLB_FLUSH_ALL};
    private static final int NOTHING = 0;
    private static final int BUT_GLOBALS = 1;
    private static final int OF_ASID = 2;
    private static final int ALL = 3;

    private final long hostSave;
    private final long msrpm;
    /** By ASID the root of the tables with which it was used last. */
    private final Map<Long, Long> roots = new HashMap<>();
    /** What the next entry is to flush, of {@link #FLUSHES}. */
    private int flush;
    private int answers;

    SvmHypervisor(int vcpu, RegisterFile registers, long hostSave, long msrpm, Inner[] inners, Meddler meddler) {
        super(vcpu, registers, inners, meddler);
        this.hostSave = hostSave;
        this.msrpm = msrpm;
    }

    @Override
    void boot(PagingState now) {
        script.add(Script.WRMSR, Msr.IA32_EFER & 0xffff_ffffL, now.efer() | ControlBits.EFER_SVME);
        script.add(Script.WRMSR, Msr.VM_HSAVE_PA & 0xffff_ffffL, hostSave);
        for (int n = inners.length - 1; n >= 0; n--) {
            current = inners[n];
            prepare();
        }
    }

    private void prepare() {
        put(VmcbField.INTERCEPT_MISC1, SvmIntercepts.MSR);
        put(VmcbField.INTERCEPT_MISC2, SvmIntercepts.VMRUN | SvmIntercepts.VMMCALL);
        put(VmcbField.MSRPM_BASE_PA, msrpm);
        space();
        put(VmcbField.NP_ENABLE, current.tables == null ? 0 : 1);
        PagingState l2 = current.state;
        loadEfer(l2.efer());
        put(VmcbField.CR0, l2.cr0());
        put(VmcbField.CR3, l2.cr3());
        put(VmcbField.CR4, l2.cr4());
        put(VmcbField.RFLAGS, RFLAGS);
    }

    private void space() {
        put(VmcbField.ASID, current.tag);
        put(VmcbField.N_CR3, current.root);
    }

    private void put(VmcbField field, long value) {
        script.window(Script.STORE, current.block + field.offset(), field.bytes(), value);
    }

    @Override
    void turn() {
        // VMRUN names the VMCB.
    }

    /** Nested tables have no tag but the ASID: with another root it needs a flush ("TLB Control"). */
    @Override
    void enter() {
        Long last = roots.put(current.tag, current.root);
        if (last != null && last != current.root) {
            flush = Math.max(flush, OF_ASID);
        }
        put(VmcbField.TLB_CONTROL, FLUSHES[flush]);
        if (flush == ALL) {
            roots.clear();
            roots.put(current.tag, current.root);
        }
        flush = NOTHING;
        script.svm(ExitReason.VMRUN, current.block, 0);
        answers = script.count;
        for (VmcbField field : ASKED) {
            script.window(Script.LOAD, current.block + field.offset(), field.bytes(), 0);
        }
    }

    @Override
    Exit exited() {
        long code = script.value[answers + CODE];
        gpa = script.value[answers + INFO2];
        rip = script.value[answers + RIP];
        rax = script.value[answers + RAX];
        return switch ((int) code) {
            case Vmcb.VMEXIT_NPF -> Exit.REFUSED;
            case Vmcb.VMEXIT_VMMCALL -> Exit.CALL;
            case Vmcb.VMEXIT_MSR -> Exit.MSR_WRITE;
            default -> throw new MachineException(String.format("the guest hypervisor did not ask for #VMEXIT 0x%x of its guest", code));
        };
    }

    @Override
    boolean failed(int i) {
        // What fails raises an exception, or is an exit code.
        return false;
    }

    @Override
    void skip() {
        put(VmcbField.RIP, rip + 1);
    }

    @Override
    void inject(int vector) {
        put(VmcbField.EVENTINJ, INJECT | vector);
    }

    /** A guest's EFER.SVME has to be 1 ("Canonicalization and Consistency Checks"), whatever it writes. */
    @Override
    void loadEfer(long value) {
        put(VmcbField.EFER, value | ControlBits.EFER_SVME);
    }

    @Override
    public void loadCr3(long cr3) {
        put(VmcbField.CR3, cr3);
        // As MOV to CR3 would: VMRUN drops nothing by itself.
        flush = Math.max(flush, BUT_GLOBALS);
    }

    @Override
    public void flushTables(boolean all) {
        flush = Math.max(flush, all ? ALL : OF_ASID);
    }

    @Override
    public void flushLinear(int type, long gva) {
        switch (type) {
            case 0 -> script.svm(ExitReason.INVLPGA, gva, current.tag);
            case 1 -> flush = Math.max(flush, OF_ASID);
            case 2 -> flush = ALL;
            default -> flush = Math.max(flush, BUT_GLOBALS);
        }
    }

    /** Three ASIDs for each guest, of which it shares two with the next. */
    @Override
    public void tag(int n, int root) {
        int number = 0;
        while (inners[number] != current) {
            number++;
        }
        current.tag = 1 + n % 3 + number;
        current.root = current.tables == null ? 0 : current.tables.root(root);
        space();
    }
}
