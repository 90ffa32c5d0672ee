package org.penumbra.cpu.execute;

import org.penumbra.api.cpu.FpuRegisters;
import org.penumbra.cpu.decode.Insn;

/**
 * The x87 register stack, and what raises exceptions there (SDM vol. 1, "x87 FPU Execution Environment" and "x87 FPU Floating-Point Exception
 * Handling"). An exception that is known before there is a result leaves the destination and the stack as they are if it is not masked.
 *
 * <pre>
 *  status   5:0 exceptions   6 stack fault   7 summary   8 C0   9 C1   10 C2   13:11 top   14 C3   15 busy
 *  control  5:0 masks   9:8 precision   11:10 rounding
 * </pre>
 */
final class X87Unit {
    static final int C0 = 1 << 8;
    static final int C1 = 1 << 9;
    static final int C2 = 1 << 10;
    static final int C3 = 1 << 14;
    private static final int STACK_FAULT = 1 << 6;
    private static final long CR0_MP = 1 << 1;
    private static final long CR0_EM = 1 << 2;
    private static final long CR0_TS = 1 << 3;
    private static final long CR0_NE = 1 << 5;
    private static final int[] PRECISION = {24, 64, 53, 64};

    final Core core;
    final FpuRegisters fpu;
    final SoftFloat soft = new SoftFloat();
    private final Real nothing = new Real();

    X87Unit(Core core) {
        this.core = core;
        this.fpu = core.registers.fpu;
        soft.larger = true;
    }

    /** #NM while the FPU is another task's or emulated. */
    void requireTask() {
        if (core.registers.paging.has0(CR0_EM | CR0_TS)) {
            throw core.fault(Core.NM, 0);
        }
    }

    /** FWAIT looks at CR0.MP and TS instead (SDM vol. 2, "WAIT/FWAIT"). */
    void await() {
        if (core.registers.paging.has0(CR0_MP) && core.registers.paging.has0(CR0_TS)) {
            throw core.fault(Core.NM, 0);
        }
        pending();
    }

    /** #MF for what an instruction before has left; without CR0.NE nobody hears of it, as with IGNNE# asserted. */
    void pending() {
        if ((fpu.status & FpuRegisters.ES) != 0 && core.registers.paging.has0(CR0_NE)) {
            throw core.fault(Core.MF, 0);
        }
    }

    /** An instruction that computes begins: exceptions, rounding, pointers. */
    void begin(Insn i) {
        requireTask();
        pending();
        soft.raised = 0;
        soft.up = false;
        soft.wraps = true;
        soft.rounding = fpu.control >>> 10 & 3;
        soft.unmasked = ~fpu.control & FpuRegisters.EXCEPTIONS;
        soft.toExtended(64);
    }

    /** Results have the precision that the control word asks for: additions, multiplications, divisions, square roots alone. */
    void controlled() {
        soft.toExtended(PRECISION[fpu.control >>> 8 & 3]);
    }

    /** Instruction and data pointers, once the instruction has not faulted (SDM vol. 1, "x87 FPU Instruction and Data (Operand) Pointers"). */
    void pointers(Insn i) {
        fpu.instruction = core.registers.rip;
        fpu.opcode = i.x87;
        if (i.ak == Insn.MEM) {
            fpu.operand = core.offset(i);
        }
    }

    private int physical(int n) {
        return (fpu.status >>> 11) + n & 7;
    }

    boolean empty(int n) {
        return (fpu.used >>> physical(n) & 1) == 0;
    }

    void get(int n, Real to) {
        int p = physical(n);
        to.extended(fpu.exponent[p] & 0xffff, fpu.significand[p]);
    }

    int top(int n) {
        return fpu.exponent[physical(n)] & 0xffff;
    }

    long significand(int n) {
        return fpu.significand[physical(n)];
    }

    void set(int n, int top, long significand) {
        int p = physical(n);
        fpu.exponent[p] = (short) top;
        fpu.significand[p] = significand;
        fpu.used |= 1 << p;
    }

    void set(int n, Real from) {
        set(n, from.toExtendedTop(), from.significand);
    }

    void free(int n) {
        fpu.used &= ~(1 << physical(n));
    }

    void turn(int by) {
        fpu.status = fpu.status & ~FpuRegisters.TOP | (fpu.status + (by << 11) & FpuRegisters.TOP);
    }

    void pop(int times) {
        for (int n = 0; n < times; n++) {
            free(0);
            turn(1);
        }
    }

    void conditions(int mask, int values) {
        fpu.status = fpu.status & ~mask | values;
    }

    /** True if no exception that was met so far keeps the instruction from having an effect. */
    boolean takesEffect() {
        return (soft.raised & SoftFloat.BEFORE & soft.unmasked) == 0;
    }

    /** Takes over what {@link #soft} has raised; false if the instruction has no effect because of it. C1 says whether the result was rounded up. */
    boolean settle() {
        boolean early = !takesEffect();
        int raised = early ? soft.raised & SoftFloat.BEFORE : soft.raised;
        conditions(C1, !early && soft.up && (raised & SoftFloat.PE) != 0 ? C1 : 0);
        raise(raised);
        return !early;
    }

    private void raise(int exceptions) {
        fpu.status |= exceptions;
        fpu.summarize();
    }

    /** An operand is empty: what takes its place is the indefinite, if that is masked; true if so. */
    boolean underflow() {
        return fault(0);
    }

    /** There is no room to push. */
    boolean overflow() {
        return fault(C1);
    }

    private boolean fault(int c1) {
        conditions(C1, c1);
        raise(SoftFloat.IE | STACK_FAULT);
        return (soft.unmasked & SoftFloat.IE) == 0;
    }

    void setIndefinite(int n) {
        nothing.indefinite();
        set(n, nothing);
    }

    /** Pushes {@code value}, or the indefinite if there is no room. */
    void push(Real value) {
        boolean full = !empty(7);
        if (full && !overflow()) {
            return;
        }
        turn(-1);
        if (full) {
            setIndefinite(0);
        } else {
            set(0, value);
        }
    }
}
