package org.penumbra.cpu.execute;

import java.util.function.LongUnaryOperator;
import org.penumbra.api.clock.Work;
import org.penumbra.api.cpu.ExecutionEngine;
import org.penumbra.api.cpu.InterruptLine;
import org.penumbra.api.cpu.MemoryPort;
import org.penumbra.api.cpu.Outcome;
import org.penumbra.api.cpu.Processor;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.cpu.Segments;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.cpu.decode.Insn;

/**
 * What every part of the interpreter works on: the registers of one vCPU, the mode that follows from them, and operands. Everything that outlives
 * an instruction is in the register file; the mode is derived anew whenever it may have changed.
 */
final class Core {
    static final int DE = 0;
    static final int DB = 1;
    static final int BP = 3;
    static final int OFLOW = 4;
    static final int BR = 5;
    static final int UD = 6;
    static final int NM = 7;
    static final int DF = 8;
    static final int TS = 10;
    static final int NP = 11;
    static final int SS = 12;
    static final int GP = 13;
    static final int PF = 14;
    static final int MF = 16;
    static final int AC = 17;
    static final int XM = 19;

    private static final long CR0_AM = 1 << 18;

    final Processor cpu;
    final RegisterFile registers;
    final Segments segments;
    final long[] gpr;
    final Flags flags;
    final DataPath memory;
    final Ports ports = new Ports(this);
    final Breakpoints breakpoints;
    private final InterruptLine line;

    /** 16, 32, 64: how code is decoded. */
    int bits;
    boolean in64;
    boolean longMode;
    boolean protectedMode;
    boolean virtual86;
    /** Real-address or virtual-8086 mode: a selector is a base. */
    boolean realSegments;
    /** Kinds of data accesses at the current privilege. */
    int reading;
    int writing;
    /** SDM vol. 3, "Checking Alignment": CPL 3, with CR0.AM and RFLAGS.AC. */
    boolean checksAlignment;
    private long stackMask;
    /** Bits of a linear address above those that it really has. */
    private int spare;
    private int stackBytes;

    /** Where the next instruction is. */
    long next;
    /** The exception behind {@link Trap#FAULT}. */
    int vector;
    int errorCode;
    /** Of a #PF. */
    long address;
    /** The segment of the last memory operand. */
    int faultSegment;
    /** Something an engine has to look at between two instructions has changed: mode, flags that trap, code. */
    boolean changed;
    /** A single-step trap follows the instruction: it began with TF = 1, and is none that looks at TF otherwise. */
    boolean steps;
    /** The instruction has loaded RF, which counts for the next one. */
    boolean resumes;
    /** The instruction ends the run so. */
    ExecutionEngine.Stop stop;
    /** An exit whose operation, when it is skipped, puts its value here. */
    LongUnaryOperator completion;
    /** To be run when an instruction has changed the paging state. */
    Runnable pagingChanged;
    /** Retired and not yet told to the clock of guest time. */
    long retired;
    /** The number in its run of the instruction that is executed. */
    int at;
    /** How many instructions of the run that is executed {@link #retired} counts already. */
    private int counted;

    Core(Processor cpu, MemoryPort port, AccessLog log) {
        this.cpu = cpu;
        this.registers = cpu.registers();
        this.segments = registers.segments;
        this.line = cpu.interruptLine();
        this.gpr = registers.gpr;
        this.flags = new Flags(registers);
        this.memory = new DataPath(this, port, log);
        this.breakpoints = new Breakpoints(this);
    }

    /** Derives the mode from the registers. */
    void refresh() {
        protectedMode = registers.paging.has0(ControlBits.CR0_PE);
        longMode = registers.paging.hasEfer(ControlBits.EFER_LMA);
        virtual86 = protectedMode && (registers.rflags & Flags.VM) != 0;
        realSegments = !protectedMode || virtual86;
        int code = segments.rights[Segments.CS];
        in64 = longMode && (code & Segments.L) != 0;
        bits = in64 ? 64 : (code & Segments.DB) != 0 ? 32 : 16;
        spare = 64 - registers.paging.mode().linearBits();
        reading = registers.access(Access.READ);
        writing = registers.access(Access.WRITE);
        checksAlignment = registers.cpl == 3 && (registers.rflags & Flags.AC) != 0 && registers.paging.has0(CR0_AM);
        boolean big = (segments.rights[Segments.SS] & Segments.DB) != 0;
        stackBytes = in64 ? 8 : big ? 4 : 2;
        stackMask = in64 ? -1 : big ? 0xffff_ffffL : 0xffff;
        changed = true;
    }

    /** A run begins. */
    void beginRun() {
        at = 0;
        counted = 0;
        changed = false;
        resumes = false;
    }

    /** {@code done} instructions of the run have retired. */
    void settleRun(int done) {
        retired += done - counted;
        counted = done;
    }

    /** Something has to be looked at before the next instruction. */
    boolean due() {
        return changed || stop != null || line.raised();
    }

    Trap fault(int exception, int error) {
        vector = exception;
        errorCode = error;
        return Trap.FAULT;
    }

    int iopl() {
        return (int) (registers.rflags >>> 12) & 3;
    }

    /** SDM vol. 3, "Sensitive Instructions" of virtual-8086 mode: #GP(0) unless IOPL is 3. */
    void requireVirtualIopl() {
        if (virtual86 && iopl() < 3) {
            throw gp0();
        }
    }

    Trap gp0() {
        return fault(GP, 0);
    }

    Trap ud() {
        return fault(UD, 0);
    }

    /** What the processor said of an operation that is not done. */
    void require(int outcome) {
        if (outcome != Outcome.DONE) {
            throw trap(outcome);
        }
    }

    Trap trap(int outcome) {
        if (outcome == Outcome.EXIT) {
            return Trap.EXIT;
        }
        vector = cpu.exception().vector;
        errorCode = cpu.exception().errorCode;
        address = cpu.exception().address;
        return Trap.FAULT;
    }

    /** Brings the clocks up to date: guest time, and a cycle price for each instruction. */
    void settleTime() {
        cpu.guestTime().retire(retired);
        cpu.cycles().charge(Work.OPERATION, retired);
        retired = 0;
    }

    /** Guest time in retired instructions. */
    long now() {
        return cpu.guestTime().retired() + retired;
    }

    static long truncate(long value, int size) {
        return size == 8 ? value : value & (1L << (size << 3)) - 1;
    }

    static long extend(long value, int size) {
        int shift = 64 - (size << 3);
        return value << shift >> shift;
    }

    long read(int register, int size) {
        return size == 8 ? gpr[register] : gpr[register] & (1L << (size << 3)) - 1;
    }

    /** Writes the low {@code size} bytes of a register; 4 bytes clear the upper half (SDM vol. 1, "General-Purpose Registers in 64-Bit Mode"). */
    void write(int register, int size, long value) {
        switch (size) {
            case 8:
                gpr[register] = value;
                break;
            case 4:
                gpr[register] = value & 0xffff_ffffL;
                break;
            case 2:
                gpr[register] = gpr[register] & ~0xffffL | value & 0xffff;
                break;
            default:
                gpr[register] = gpr[register] & ~0xffL | value & 0xff;
        }
    }

    private void writeHigh(int register, long value) {
        gpr[register] = gpr[register] & ~0xff00L | (value & 0xff) << 8;
    }

    /** First operand. */
    long a(Insn i) {
        return i.ak == Insn.GPR ? read(i.ar, i.aw) : operand(i, i.ak, i.ar, i.aw);
    }

    /** Second operand. */
    long b(Insn i) {
        return i.bk == Insn.GPR ? read(i.br, i.bw) : i.bk == Insn.IMM ? truncate(i.imm, i.size) : operand(i, i.bk, i.br, i.bw);
    }

    /** Third operand. */
    long c(Insn i) {
        return operand(i, i.ck, i.cr, i.cw);
    }

    private long operand(Insn i, int kind, int register, int width) {
        switch (kind) {
            case Insn.GPR:
                return read(register, width);
            case Insn.HIGH:
                return gpr[register] >>> 8 & 0xff;
            case Insn.IMM:
                return i.imm;
            default:
                return memory.load(linear(i, width, false), width, reading);
        }
    }

    /** First operand, which will be {@link #update updated}: refused already if it must not be written. */
    long old(Insn i) {
        if (i.ak == Insn.GPR) {
            return read(i.ar, i.aw);
        }
        return i.ak == Insn.HIGH ? gpr[i.ar] >>> 8 & 0xff : memory.load(linear(i, i.aw, true), i.aw, writing);
    }

    /** Writes the first operand. */
    void put(Insn i, long value) {
        if (i.ak == Insn.GPR) {
            write(i.ar, i.aw, value);
        } else if (i.ak == Insn.HIGH) {
            writeHigh(i.ar, value);
        } else {
            memory.store(linear(i, i.aw, true), i.aw, value, writing);
        }
    }

    /** Writes the second operand, a register. */
    void putB(Insn i, long value) {
        if (i.bk == Insn.HIGH) {
            writeHigh(i.br, value);
        } else {
            write(i.br, i.bw, value);
        }
    }

    /** Effective address of the memory operand. */
    long offset(Insn i) {
        return offset(i.base, i.index, i.scale, i.disp, i.addressSize);
    }

    /** Effective address of {@code bytes} bytes from two registers or -1, as of {@link Insn#base} and {@link Insn#index}. */
    long offset(int base, int index, int scale, long disp, int bytes) {
        long off = disp;
        if (base >= 0) {
            off += base == Insn.RIP ? next : gpr[base];
        }
        if (index >= 0) {
            off += gpr[index] << scale;
        }
        return bytes == 8 ? off : bytes == 4 ? off & 0xffff_ffffL : off & 0xffff;
    }

    /** Effective address of the memory operand with {@code element} of its vector of indices. */
    long offset(Insn i, long element) {
        long off = i.disp + (i.base >= 0 ? gpr[i.base] : 0) + (element << i.scale);
        return i.addressSize == 8 ? off : off & 0xffff_ffffL;
    }

    /** Linear address of the memory operand, of {@code width} bytes. */
    long linear(Insn i, int width, boolean write) {
        return linear(i.segment, offset(i), width, write);
    }

    /** Linear address of {@code width} bytes at {@code offset} in {@code segment}, which are to be read or written. */
    long linear(int segment, long offset, int width, boolean write) {
        faultSegment = segment;
        if (in64) {
            return segment >= Segments.FS ? offset + segments.base[segment] : offset;
        }
        checkSegment(segment, offset, width, write);
        return segments.base[segment] + offset & 0xffff_ffffL;
    }

    /** SDM vol. 3, "Limit Checking" and "Type Checking". */
    private void checkSegment(int segment, long offset, int width, boolean write) {
        int rights = segments.rights[segment];
        boolean code = (rights & 8) != 0;
        boolean typed = !code ? !write || (rights & 2) != 0 : !write && (rights & 2) != 0;
        long limit = segments.limit[segment];
        long last = offset + width - 1;
        boolean down = !code && (rights & 4) != 0;
        boolean inside = down ? offset > limit && last <= ((rights & Segments.DB) != 0 ? 0xffff_ffffL : 0xffff) : last <= limit;
        if ((rights & Segments.UNUSABLE) != 0 || !typed && protectedMode || !inside) {
            throw fault(segment == Segments.SS ? SS : GP, 0);
        }
    }

    void push(long value, int size) {
        long sp = gpr[4] - size & stackMask;
        memory.store(linear(Segments.SS, sp, size, true), size, value, writing);
        write(4, stackBytes, sp);
    }

    /** The value {@code skip} bytes above the top of the stack; nothing is popped. */
    long peek(int skip, int size) {
        return memory.load(linear(Segments.SS, gpr[4] + skip & stackMask, size, false), size, reading);
    }

    /** Faults if the {@code bytes} below the top of the stack cannot be written. */
    void peekForWrite(int bytes) {
        memory.load(linear(Segments.SS, gpr[4] - bytes & stackMask, 2, true), 2, writing);
    }

    /** Moves the stack pointer by {@code count} bytes. */
    void drop(long count) {
        write(4, stackBytes, gpr[4] + count & stackMask);
    }

    long pop(int size) {
        long value = peek(0, size);
        drop(size);
        return value;
    }

    /** Goes to {@code target}, of which {@code size} bytes count, and leaves the address of the next instruction on the stack. */
    void call(long target, int size) {
        long from = next;
        jump(target, size);
        push(from, size);
    }

    /** Goes to the address on top of the stack, and drops {@code skipped} bytes more. */
    void ret(long skipped, int size) {
        jump(peek(0, size), size);
        drop(size + skipped);
    }

    int stackBytes() {
        return stackBytes;
    }

    /** The next instruction is at {@code target}, of which {@code size} bytes count: #GP(0) if that is outside the code segment. */
    void jump(long target, int size) {
        long to = in64 ? target : truncate(target, size);
        if (in64 ? to << spare >> spare != to : to > segments.limit[Segments.CS]) {
            throw gp0();
        }
        next = to;
    }
}
