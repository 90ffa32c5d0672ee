package org.penumbra.testkit.nested;

import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.cpu.Msr;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.api.vmx.VmcsField;
import org.penumbra.api.vmx.VmxControls;
import org.penumbra.testkit.script.Script;
import org.penumbra.testkit.script.ScriptedGuest;

/**
 * A hypervisor on one vCPU (L1): enters its guest (L2), serves its exits, and meddles in between. It intercepts nothing that it need not: its
 * guest's page faults and loads of control registers are the guest's own.
 */
public final class Hypervisor extends ScriptedGuest {
    /** What is asked of each exit, in this order. */
    private static final VmcsField[] ASKED = {VmcsField.VM_EXIT_REASON, VmcsField.EXIT_QUALIFICATION, VmcsField.GUEST_PHYSICAL_ADDRESS, VmcsField.GUEST_RIP};
    private static final int REASON = 0;
    private static final int GPA = 2;
    private static final int RIP = 3;
    private static final int RFLAGS = 2;

    private enum Phase { BOOT, EXITED, WRMSR }

    private final int vcpu;
    private final RegisterFile registers;
    private final long regions;
    private final Ept12 ept;
    private final PagingState l2;
    private final Meddler meddler;
    private Phase phase = Phase.BOOT;
    private long vpid = 1;
    private long eptp;
    /** Script indices: of L2's RAX, and of the first answer to {@link #ASKED}. */
    private int rax;
    private int answers;
    /** GUEST_RIP of the exit that is served. */
    private long rip;

    Hypervisor(int vcpu, RegisterFile registers, long regions, Ept12 ept, PagingState l2, Meddler meddler) {
        this.vcpu = vcpu;
        this.registers = registers;
        this.regions = regions;
        this.ept = ept;
        this.l2 = l2;
        this.meddler = meddler;
        this.eptp = ept == null ? 0 : ept.eptp(0);
    }

    /** Which vCPU this is. */
    public int vcpu() {
        return vcpu;
    }

    /** Its EPT tables, which those of other vCPUs are, too; null if it has none. */
    public Ept12 ept() {
        return ept;
    }

    /** The script that is planned. */
    public Script plan() {
        return script;
    }

    @Override
    protected boolean advance(PagingState now) {
        judge();
        Phase before = phase;
        long reason = before == Phase.EXITED ? answer(REASON) : 0;
        long gpa = before == Phase.EXITED ? answer(GPA) : 0;
        rip = before == Phase.EXITED ? answer(RIP) : rip;
        long low = before == Phase.EXITED ? script.value[rax] : 0;
        boolean refused = before == Phase.WRMSR && script.exception[0] != Script.NONE;
        script.clear();
        switch (before) {
            case BOOT -> boot(now);
            case WRMSR -> {
                if (refused) {
                    inject(GuestException.GP);
                } else {
                    skip();
                }
                enter(ExitReason.VMRESUME);
            }
            default -> serve((int) reason, gpa, low);
        }
        return true;
    }

    private long answer(int n) {
        return script.value[answers + n];
    }

    /** Whatever a hypervisor does here succeeds, but for the WRMSR that it makes for its guest. */
    private void judge() {
        for (int i = 0; i < script.count; i++) {
            boolean failed = script.exception[i] != Script.NONE && phase != Phase.WRMSR;
            if (failed || script.kind[i] == Script.VMX && script.errorCode[i] != 0) {
                throw new MachineException(String.format("vCPU %d: %s of the guest hypervisor at 0x%x with 0x%x: %s", vcpu,
                        script.kind[i] == Script.VMX ? ExitReason.of(script.function[i]).toString() : Script.NAMES[script.kind[i]], script.address[i],
                        script.value[i], failed ? script.outcome(i) : "VMfail"));
            }
        }
    }

    private void boot(PagingState now) {
        script.add(Script.CR4, 0, now.cr4() | ControlBits.CR4_VMXE);
        script.vmx(ExitReason.VMXON, 0, regions, 0);
        script.vmx(ExitReason.VMCLEAR, 0, regions + 0x1000, 0);
        script.vmx(ExitReason.VMPTRLD, 0, regions + 0x1000, 0);
        write(VmcsField.VM_ENTRY_CONTROLS, VmxControls.ENTRY_LOAD_EFER);
        write(VmcsField.VM_EXIT_CONTROLS, VmxControls.EXIT_LOAD_EFER);
        write(VmcsField.CPU_BASED_VM_EXEC_CONTROL, VmxControls.ACTIVATE_SECONDARY);
        controls();
        write(VmcsField.HOST_CR0, now.cr0());
        write(VmcsField.HOST_CR3, now.cr3());
        write(VmcsField.HOST_CR4, now.cr4() | ControlBits.CR4_VMXE);
        write(VmcsField.HOST_IA32_EFER, now.efer());
        write(VmcsField.GUEST_CR0, l2.cr0());
        write(VmcsField.GUEST_CR3, l2.cr3());
        write(VmcsField.GUEST_CR4, l2.cr4());
        write(VmcsField.GUEST_IA32_EFER, l2.efer());
        write(VmcsField.GUEST_PDPTR0, l2.pdptes().get(0));
        write(VmcsField.GUEST_PDPTR1, l2.pdptes().get(1));
        write(VmcsField.GUEST_PDPTR2, l2.pdptes().get(2));
        write(VmcsField.GUEST_PDPTR3, l2.pdptes().get(3));
        write(VmcsField.GUEST_RFLAGS, RFLAGS);
        write(VmcsField.GUEST_RIP, 0);
        write(VmcsField.GUEST_SS_AR_BYTES, 0);
        enter(ExitReason.VMLAUNCH);
    }

    private void controls() {
        write(VmcsField.SECONDARY_VM_EXEC_CONTROL, (vpid == 0 ? 0 : VmxControls.ENABLE_VPID)
                | (ept == null ? 0 : VmxControls.ENABLE_EPT | VmxControls.UNRESTRICTED_GUEST));
        if (vpid != 0) {
            write(VmcsField.VIRTUAL_PROCESSOR_ID, vpid);
        }
        if (ept != null) {
            write(VmcsField.EPT_POINTER, eptp);
        }
    }

    private void serve(int reason, long gpa, long low) {
        phase = Phase.EXITED;
        switch (ExitReason.of(reason)) {
            case EPT_VIOLATION, EPT_MISCONFIG -> {
                ept.mend(script, gpa, eptp);
                enter(ExitReason.VMRESUME);
            }
            case VMCALL -> {
                skip();
                enter(ExitReason.VMRESUME);
            }
            case MSR_WRITE -> msr((int) registers.gpr[RegisterFile.RCX], registers.gpr[RegisterFile.RDX] << 32 | low & 0xffff_ffffL);
            default -> throw new MachineException("the guest hypervisor did not ask for exit " + reason + " (" + ExitReason.of(reason) + ") of its guest");
        }
    }

    /** IA32_EFER is in the VMCS; of others, which entries and exits leave alone, its guest has this processor's. */
    private void msr(int msr, long value) {
        if (msr == Msr.IA32_EFER) {
            write(VmcsField.GUEST_IA32_EFER, value);
            skip();
            enter(ExitReason.VMRESUME);
        } else {
            phase = Phase.WRMSR;
            script.add(Script.WRMSR, msr & 0xffff_ffffL, value);
        }
    }

    private void inject(int vector) {
        write(VmcsField.VM_ENTRY_INTR_INFO_FIELD, VmxControls.INTR_VALID | VmxControls.INTR_ERROR_CODE
                | VmxControls.INTR_HARD_EXCEPTION << VmxControls.INTR_TYPE_SHIFT | vector);
        write(VmcsField.VM_ENTRY_EXCEPTION_ERROR_CODE, 0);
    }

    /** The instruction at which L2 exited is done: one byte, as each is. */
    private void skip() {
        write(VmcsField.GUEST_RIP, rip + 1);
    }

    private void enter(ExitReason instruction) {
        phase = Phase.EXITED;
        meddler.meddle(this);
        script.vmx(instruction, 0, 0, 0);
        rax = script.add(Script.KEEP_RAX, 0, 0);
        answers = script.count;
        for (VmcsField field : ASKED) {
            script.vmx(ExitReason.VMREAD, field.encoding(), 0, 0);
        }
    }

    /** Appends a VMWRITE. */
    public void write(VmcsField field, long value) {
        script.vmx(ExitReason.VMWRITE, field.encoding(), value, 0);
    }

    /** Appends a store to the 8 bytes at {@code gpa}. */
    public void store(long gpa, long value) {
        script.window(Script.STORE, gpa, 8, value);
    }

    /** Appends an INVEPT: of the current tables, or of everything. */
    public void invept(boolean all) {
        script.vmx(ExitReason.INVEPT, all ? 2 : 1, all ? 0 : eptp, 0);
    }

    /** Appends an INVVPID of {@code type} for the current VPID, if there is one, and {@code gva}. */
    public void invvpid(int type, long gva) {
        if (vpid != 0) {
            script.vmx(ExitReason.INVVPID, type, vpid, gva);
        }
    }

    /** From the next entry on L2 has {@code newVpid}, 0 for none, and the EPT pointer number {@code pointer} of {@link Ept12#eptp}. */
    public void tag(long newVpid, int pointer) {
        vpid = newVpid;
        eptp = ept == null ? 0 : ept.eptp(pointer);
        controls();
    }
}
