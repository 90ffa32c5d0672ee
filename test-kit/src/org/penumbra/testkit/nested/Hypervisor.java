package org.penumbra.testkit.nested;

import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.cpu.Msr;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.paging.PagingState;
import org.penumbra.testkit.script.Script;
import org.penumbra.testkit.script.ScriptedGuest;

/**
 * A hypervisor on one vCPU (L1), by whichever extension: enters its guests (L2) in turn, serves their exits, and meddles in between. It
 * intercepts nothing that it need not: its guests' page faults and loads of control registers are the guests' own.
 */
public abstract class Hypervisor extends ScriptedGuest {
    /** What an exit of a guest is about. */
    enum Exit { REFUSED, CALL, MSR_WRITE }

    private enum Phase { BOOT, EXITED, MSR_WRITE }

    /** A guest as its hypervisor knows it. */
    static final class Inner {
        /** gpa of its VMCS or VMCB. */
        final long block;
        /** Null if it runs on the hypervisor's own addresses. */
        final StageTables tables;
        /** Where it begins. */
        final PagingState state;
        /** VPID or ASID. */
        long tag = 1;
        /** Of {@link #tables}. */
        long root;
        boolean launched;

        Inner(long block, StageTables tables, PagingState state) {
            this.block = block;
            this.tables = tables;
            this.state = state;
            this.root = tables == null ? 0 : tables.root(0);
        }
    }

    final RegisterFile registers;
    final Inner[] inners;
    /** Which of them is entered next, or has exited last. */
    Inner current;
    /** Of the exit that is served: the address that was refused, where the guest stands, and its RAX. */
    long gpa;
    long rip;
    long rax;

    private final int vcpu;
    private final Meddler meddler;
    private Phase phase = Phase.BOOT;
    private boolean called;

    Hypervisor(int vcpu, RegisterFile registers, Inner[] inners, Meddler meddler) {
        this.vcpu = vcpu;
        this.registers = registers;
        this.inners = inners;
        this.current = inners[0];
        this.meddler = meddler;
    }

    /** Which vCPU this is. */
    public final int vcpu() {
        return vcpu;
    }

    /** How many guests it has. */
    public final int guests() {
        return inners.length;
    }

    /** The tables of the guest that is entered next, which those of other vCPUs are, too; null if it has none. */
    public final StageTables tables() {
        return current.tables;
    }

    /** The script that is planned. */
    public final Script plan() {
        return script;
    }

    /** True if the guest that is entered next has called, and was not interrupted in the middle of what it does. */
    public final boolean called() {
        return called;
    }

    /** Goes on with guest number {@code n}. */
    public final void turnTo(int n) {
        if (current != inners[n]) {
            current = inners[n];
            turn();
        }
    }

    /** Appends what drops everything that is cached by the current guest's tables, or by all. */
    public abstract void flushTables(boolean all);

    /**
     * Appends what drops translations of the guest's linear addresses, if it has a tag.
     *
     * @param type as of INVVPID: 0 that of {@code gva}, 1 all of the tag, 2 all, 3 all of the tag but global ones
     */
    public abstract void flushLinear(int type, long gva);

    /** From the next entry on the guest has VPID or ASID number {@code n} of those that there are for it, and root {@code root} of its tables. */
    public abstract void tag(int n, int root);

    /** The guest goes on with {@code cr3}. */
    public abstract void loadCr3(long cr3);

    abstract void boot(PagingState now);

    /** Appends what {@link #current} needs as another guest than the last. */
    abstract void turn();

    /** Appends the entry, and what tells about the exit then. */
    abstract void enter();

    /** Reads of the script that was executed what {@link #enter} has asked. */
    abstract Exit exited();

    /** The instruction at which the guest exited is done: one byte, as each is. */
    abstract void skip();

    abstract void inject(int vector);

    /** The guest's EFER is to be {@code value}. */
    abstract void loadEfer(long value);

    /** True if operation {@code i} of the script, which raised no exception, failed. */
    abstract boolean failed(int i);

    @Override
    protected final boolean advance(PagingState now) {
        judge();
        Phase before = phase;
        boolean refused = before == Phase.MSR_WRITE && script.exception[0] != Script.NONE;
        Exit exit = before == Phase.EXITED ? exited() : null;
        called = exit == Exit.CALL;
        script.clear();
        switch (before) {
            case BOOT -> boot(now);
            case MSR_WRITE -> finish(refused);
            default -> {
                if (!serve(exit)) {
                    return true;
                }
            }
        }
        phase = Phase.EXITED;
        meddler.meddle(this);
        enter();
        return true;
    }

    /** Whatever a hypervisor does here succeeds, but for the WRMSR that it makes for its guest. */
    private void judge() {
        for (int i = 0; i < script.count; i++) {
            boolean raised = script.exception[i] != Script.NONE && phase != Phase.MSR_WRITE;
            if (raised || script.exception[i] == Script.NONE && failed(i)) {
                throw new MachineException(String.format("vCPU %d: %s of the guest hypervisor at 0x%x with 0x%x: %s", vcpu,
                        Script.NAMES[script.kind[i]], script.address[i], script.value[i], raised ? script.outcome(i) : "it failed"));
            }
        }
    }

    /** Serves an exit; false if that takes another script. */
    private boolean serve(Exit exit) {
        switch (exit) {
            case REFUSED -> current.tables.mend(script, gpa, current.root);
            case CALL -> skip();
            default -> {
                return msr((int) registers.gpr[RegisterFile.RCX], registers.gpr[RegisterFile.RDX] << 32 | rax & 0xffff_ffffL);
            }
        }
        return true;
    }

    /** IA32_EFER is a guest's own; of others, which entries and exits leave alone, its guest has this processor's. */
    private boolean msr(int msr, long value) {
        if (msr == Msr.IA32_EFER) {
            loadEfer(value);
            skip();
            return true;
        }
        phase = Phase.MSR_WRITE;
        script.add(Script.WRMSR, msr & 0xffff_ffffL, value);
        return false;
    }

    private void finish(boolean refused) {
        if (refused) {
            inject(GuestException.GP);
        } else {
            skip();
        }
    }
}
