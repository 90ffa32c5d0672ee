package org.penumbra.vmx.apic;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.Arrays;
import java.util.function.Supplier;
import org.penumbra.api.interrupt.ControllerState;
import org.penumbra.api.interrupt.Interrupts;
import org.penumbra.api.interrupt.LocalApic;
import org.penumbra.api.interrupt.Registration;
import org.penumbra.api.interrupt.Timeline;
import org.penumbra.api.snapshot.Saved;

/**
 * Local APIC of one vCPU: the registers beside those that the machine's interrupt controller keeps, and the timer. KVM: {@code lapic.c}.
 *
 * <pre>
 *  offset  020 ID   030 version   080 TPR   0b0 EOI   0d0 LDR   0e0 DFR   0f0 SVR   100 ISR   180 TMR   200 IRR   280 ESR   300 ICR
 *          320 LVT timer … 370 LVT error   380 timer's initial count   390 current count   3e0 divide configuration
 *  MSR     800 + offset / 16; ICR is one MSR of 64 bits
 * </pre>
 *
 * Messages to other processors go to the controller if they are fixed, of lowest priority, or NMIs; INIT and
 * start-up go nowhere. LINT0 lets the 8259s through, and nothing else; nothing is at LINT1.
 */
public final class ApicRegisters implements LocalApic, Saved {
    private static final long PAGE = 4096;
    private static final long DEFAULT_BASE = 0xfee0_0000L;
    private static final long BSP = 1 << 8;
    private static final long X2APIC = 1 << 10;
    private static final long ENABLED = 1 << 11;
    private static final int FIRST_MSR = 0x800;
    private static final int ID = 0x020;
    private static final int VERSION = 0x030;
    private static final int TPR = 0x080;
    private static final int PPR = 0x0a0;
    private static final int EOI = 0x0b0;
    private static final int LDR = 0x0d0;
    private static final int DFR = 0x0e0;
    private static final int SVR = 0x0f0;
    private static final int ISR = 0x100;
    private static final int ESR = 0x280;
    private static final int ICR = 0x300;
    private static final int ICR_HIGH = 0x310;
    private static final int LVT_TIMER = 0x320;
    private static final int LINT0 = 0x350;
    private static final int LINT1 = 0x360;
    private static final int LVT_ERROR = 0x370;
    private static final int INITIAL = 0x380;
    private static final int CURRENT = 0x390;
    private static final int DIVIDE = 0x3e0;
    private static final int SELF_IPI = 0x3f0;
    /** Six LVT entries, version 14H. */
    private static final long VERSION_VALUE = 5 << 16 | 0x14;
    private static final long MASKED = 1 << 16;
    private static final long SOFTWARE_ENABLED = 1 << 8;
    private static final long LOWEST_PRIORITY = 1;
    private static final long NMI_MODE = 4;
    private static final long EXTINT_MODE = 7;
    private static final long PERIODIC = 1 << 17;
    private static final long ONES = 0xffff_ffffL;
    private static final int BROADCAST = 0xff;
    /** The destination is logical: in the command register, and in a message's address. */
    private static final long LOGICAL = 1 << 11;
    private static final long LOGICAL_MESSAGE = 1 << 2;

    private final int id;
    private final Interrupts interrupts;
    /** The machine's clock comes into being after its vCPUs. */
    private final Supplier<Timeline> timeline;
    /** By offset / 16. */
    private final long[] register = new long[64];
    private long base;
    private final long physicalLimit;
    private Registration timer;
    private long started;
    /** When {@link #timer} expires. */
    private long due;

    /** @param id of the vCPU, and of its APIC */
    public ApicRegisters(int id, Interrupts interrupts, Supplier<Timeline> timeline, int physicalBits) {
        this.id = id;
        this.interrupts = interrupts;
        this.timeline = timeline;
        this.physicalLimit = 1L << physicalBits;
        this.base = DEFAULT_BASE | ENABLED | (id == 0 ? BSP : 0);
        reset();
        // As a PC's firmware leaves them: "virtual wire mode" (Intel MultiProcessor Specification).
        register[SVR >> 4] |= SOFTWARE_ENABLED;
        if (id == 0) {
            register[LINT0 >> 4] = EXTINT_MODE << 8;
            register[LINT1 >> 4] = NMI_MODE << 8;
        }
    }

    private void reset() {
        Arrays.fill(register, 0);
        register[DFR >> 4] = ONES;
        register[SVR >> 4] = 0xff;
        for (int lvt = LVT_TIMER; lvt <= LVT_ERROR; lvt += 16) {
            register[lvt >> 4] = MASKED;
        }
        stopTimer();
    }

    @Override
    public long base() {
        return base;
    }

    @Override
    public boolean base(long value) {
        boolean reserved = (value & 0x2ff) != 0 || value < 0 || value >= physicalLimit;
        boolean on = (value & ENABLED) != 0;
        boolean wide = (value & X2APIC) != 0;
        boolean wasWide = (base & X2APIC) != 0;
        // From disabled not to x2APIC at once, and from x2APIC back to disabled only.
        if (reserved || wide && !on || wide && (base & ENABLED) == 0 || wasWide && on && !wide) {
            return false;
        }
        if (!on && (base & ENABLED) != 0) {
            reset();
            interrupts.priority(id, 0);
        }
        base = value;
        wire();
        name();
        return true;
    }

    /** KVM: kvm_apic_accept_pic_intr. */
    private void wire() {
        long lint0 = register[LINT0 >> 4];
        interrupts.external(id, !enabled() || (lint0 & MASKED) == 0 && mode(lint0) == EXTINT_MODE);
    }

    /** Says to which logical destinations this one belongs. */
    private void name() {
        boolean wide = (base & X2APIC) != 0;
        interrupts.logicalId(id, enabled() ? (int) read(LDR) : 0, wide ? Interrupts.X2APIC : (int) (register[DFR >> 4] >>> 28));
    }

    private static long mode(long entry) {
        return entry >>> 8 & 7;
    }

    @Override
    public int taskPriority() {
        return (int) register[TPR >> 4];
    }

    @Override
    public void taskPriority(int value) {
        register[TPR >> 4] = value & 0xff;
        interrupts.priority(id, value & 0xff);
    }

    /** SDM vol. 3, "Task and Processor Priorities": the higher of the task priority and the class of what is in service. */
    private long processorPriority() {
        int serving = Math.max(0, ControllerState.highest(interrupts.state().isr(), id));
        return taskPriority() >> 4 >= serving >> 4 ? taskPriority() : serving & 0xf0;
    }

    @Override
    public boolean holds(long gpa) {
        return (gpa & -PAGE) == (base & -PAGE);
    }

    @Override
    public long load(long gpa, int width) {
        int offset = (int) (gpa & PAGE - 1);
        long value = inPage() && offset < 0x400 ? read(offset & ~15) >>> ((offset & 3) << 3) : -1;
        return value & -1L >>> 64 - 8 * width;
    }

    @Override
    public void store(long gpa, int width, long value) {
        int offset = (int) (gpa & PAGE - 1);
        if (inPage() && (offset & 15) == 0 && width == 4 && offset < 0x400) {
            write(offset, value & ONES);
        }
    }

    private boolean inPage() {
        return (base & (ENABLED | X2APIC)) == ENABLED;
    }

    @Override
    public boolean holdsMsr(int msr) {
        return (base & X2APIC) != 0 && msr >= FIRST_MSR && msr < FIRST_MSR + register.length && exists(msr - FIRST_MSR << 4);
    }

    @Override
    public boolean readsMsr(int msr) {
        int offset = msr - FIRST_MSR << 4;
        return holdsMsr(msr) && offset != EOI && offset != SELF_IPI;
    }

    /** SDM vol. 3, table "Local APIC Register Address Map Supported by x2APIC"; there are six entries in the local vector table. */
    private static boolean exists(int offset) {
        switch (offset) {
            case ID:
            case VERSION:
            case TPR:
            case PPR:
            case EOI:
            case LDR:
            case SVR:
            case ESR:
            case ICR:
            case INITIAL:
            case CURRENT:
            case DIVIDE:
            case SELF_IPI:
                return true;
            default:
                return offset >= ISR && offset < ESR || offset >= LVT_TIMER && offset <= LVT_ERROR;
        }
    }

    @Override
    public long readMsr(int msr) {
        int offset = msr - FIRST_MSR << 4;
        return offset == ICR ? register[ICR_HIGH >> 4] << 32 | register[ICR >> 4] : offset == ID ? id : read(offset);
    }

    @Override
    public boolean writeMsr(int msr, long value) {
        int offset = msr - FIRST_MSR << 4;
        if (offset == ICR) {
            register[ICR_HIGH >> 4] = value >>> 32;
            command(value & ONES, (int) (value >>> 32));
            return true;
        }
        boolean readOnly = offset == ID || offset == VERSION || offset == PPR || offset == LDR || offset == CURRENT || offset >= ISR && offset < ESR;
        if (value >>> 32 != 0 || readOnly || (offset == EOI || offset == ESR) && value != 0 || (offset == SELF_IPI || offset == TPR) && value >>> 8 != 0) {
            return false;
        }
        if (offset == SELF_IPI) {
            send(id, (int) value & 0xff, 0);
        } else {
            write(offset, value);
        }
        return true;
    }

    private long read(int offset) {
        switch (offset) {
            case ID:
                return (long) id << 24;
            case VERSION:
                return VERSION_VALUE;
            case PPR:
                return processorPriority();
            case CURRENT:
                return current();
            case EOI:
                return 0;
            case LDR:
                // SDM vol. 3, "Deriving Logical x2APIC ID from the Local x2APIC ID".
                return (base & X2APIC) != 0 ? (long) id >>> 4 << 16 | 1L << (id & 15) : register[LDR >> 4];
            default:
                return offset >= ISR && offset < ESR ? vectors(offset) : register[offset >> 4];
        }
    }

    /** 32 vectors of ISR, TMR or IRR. */
    private long vectors(int offset) {
        ControllerState s = interrupts.state();
        long[] all = offset < 0x180 ? s.isr() : offset < 0x200 ? s.tmr() : s.irr();
        int word = (offset & 0x7f) >> 4;
        return all[4 * id + (word >> 1)] >>> 32 * (word & 1) & ONES;
    }

    private void write(int offset, long value) {
        switch (offset) {
            case EOI:
                interrupts.endOfInterrupt(id);
                break;
            case ICR:
                command(value, (int) (register[ICR_HIGH >> 4] >>> 24));
                break;
            case INITIAL:
                register[INITIAL >> 4] = value;
                startTimer();
                break;
            case ID:
            case VERSION:
            case CURRENT:
                break;
            case TPR:
                taskPriority((int) value);
                break;
            case PPR:
                break;
            case LDR:
            case DFR:
            case SVR:
            case ICR_HIGH:
            case DIVIDE:
            case ESR:
                register[offset >> 4] = offset == ESR ? 0 : value;
                if (offset == SVR && (value & SOFTWARE_ENABLED) == 0) {
                    maskEntries();
                }
                name();
                break;
            default:
                if (offset >= LVT_TIMER && offset <= LVT_ERROR) {
                    register[offset >> 4] = softwareEnabled() ? value : value | MASKED;
                    wire();
                }
        }
    }

    private boolean softwareEnabled() {
        return (register[SVR >> 4] & SOFTWARE_ENABLED) != 0;
    }

    /** SDM vol. 3, "Local APIC State After It Has Been Software Disabled": all entries are masked, and stay so. */
    private void maskEntries() {
        for (int lvt = LVT_TIMER; lvt <= LVT_ERROR; lvt += 16) {
            register[lvt >> 4] |= MASKED;
        }
        wire();
    }

    /** SDM vol. 3, "Interrupt Command Register (ICR)". */
    private void command(long value, int destination) {
        // The message is sent at once: delivery status is idle.
        register[ICR >> 4] = value & ~(1L << 12);
        long mode = mode(value);
        if (mode > LOWEST_PRIORITY && mode != NMI_MODE) {
            return;
        }
        int data = mode == NMI_MODE ? (int) NMI_MODE << 8 : (int) value & 0x7ff;
        switch ((int) (value >>> 18) & 3) {
            case 0:
                if ((value & LOGICAL) == 0) {
                    send(destination, data, 0);
                } else if ((base & X2APIC) == 0) {
                    send(destination, data, LOGICAL_MESSAGE);
                } else {
                    sendToCluster(destination, data, mode == LOWEST_PRIORITY);
                }
                break;
            case 1:
                send(id, data, 0);
                break;
            case 2:
                send(BROADCAST, data, 0);
                break;
            default:
                // All but this one: with one vCPU nobody.
        }
    }

    /** SDM vol. 3, "Logical Destination Mode in x2APIC Mode": APIC 16c + n is bit n of cluster c, and cluster FFFFH stands for all. */
    private void sendToCluster(int destination, int data, boolean one) {
        if (destination == -1) {
            send(BROADCAST, data, 0);
            return;
        }
        int members = destination & 0xffff;
        int first = destination >>> 16 << 4;
        while (members != 0 && first < BROADCAST) {
            send(first + Integer.numberOfTrailingZeros(members), data, 0);
            members = one ? 0 : members & members - 1;
        }
    }

    /**
     * @param data vector and delivery mode, as in a message
     * @param mode of the destination: 0 or {@link #LOGICAL_MESSAGE}
     */
    private void send(int destination, int data, long mode) {
        interrupts.msi(DEFAULT_BASE | (destination & 0xffL) << 12 | mode, data);
    }

    /** SDM vol. 3, "Divide Configuration Register": bits 3, 1, 0 select 2, 4 … 128, and 1. */
    private long divisor() {
        int code = (int) (register[DIVIDE >> 4] & 3 | register[DIVIDE >> 4] >>> 1 & 4);
        return code == 7 ? 1 : 2L << code;
    }

    private boolean periodic() {
        return (register[LVT_TIMER >> 4] & PERIODIC) != 0;
    }

    private long period() {
        return register[INITIAL >> 4] * divisor();
    }

    /** Counts retired instructions; the thread of any vCPU may find it due. */
    private synchronized void startTimer() {
        stopTimer();
        if (register[INITIAL >> 4] != 0) {
            started = timeline.get().now();
            arm(started + period());
        }
    }

    private void arm(long time) {
        due = time;
        timer = timeline.get().at(time, this::expire);
    }

    private synchronized void stopTimer() {
        if (timer != null) {
            timer.close();
            timer = null;
        }
    }

    private void expire() {
        synchronized (this) {
            if (timer == null) {
                return;
            }
            timer = null;
            if (periodic()) {
                started += period();
                arm(started + period());
            }
        }
        long lvt = register[LVT_TIMER >> 4];
        if ((lvt & MASKED) == 0) {
            send(id, (int) lvt & 0xff, 0);
        }
    }

    private synchronized long current() {
        if (timer == null) {
            return 0;
        }
        long passed = (timeline.get().now() - started) / divisor();
        return Math.max(0, register[INITIAL >> 4] - passed);
    }

    @Override
    public synchronized void save(DataOutput out) throws IOException {
        for (long r : register) {
            out.writeLong(r);
        }
        out.writeLong(base);
        out.writeLong(started);
        out.writeBoolean(timer != null);
        out.writeLong(due);
    }

    @Override
    public synchronized void restore(DataInput in) throws IOException {
        for (int i = 0; i < register.length; i++) {
            register[i] = in.readLong();
        }
        base = in.readLong();
        name();
        started = in.readLong();
        stopTimer();
        boolean running = in.readBoolean();
        due = in.readLong();
        if (running) {
            arm(due);
        }
    }
}
