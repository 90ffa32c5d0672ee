package org.penumbra.cpu.execute;

import static org.penumbra.cpu.execute.Core.truncate;

import org.penumbra.api.cpu.ExecutionEngine;
import org.penumbra.api.cpu.GuestOperation;
import org.penumbra.api.cpu.Outcome;
import org.penumbra.api.cpu.Segments;
import org.penumbra.cpu.decode.Insn;
import org.penumbra.cpu.table.Op;

/**
 * String instructions. A repeated one can be interrupted between two elements: the registers say how far it has come, and it has not retired
 * (SDM vol. 2, "REP/REPE/REPZ/REPNE/REPNZ—Repeat String Operation Prefix").
 */
final class StringOps {
    /** Elements between two looks at what may interrupt. */
    private static final int MOST_ELEMENTS = 1024;

    private final Core core;
    private final Flags flags;
    private final long[] gpr;

    StringOps(Core core) {
        this.core = core;
        this.flags = core.flags;
        this.gpr = core.gpr;
    }

    /** @return false if it is not complete, and is to be executed again */
    boolean execute(Insn i) {
        if (i.rep == 0) {
            element(i);
            return true;
        }
        boolean compares = i.op == Op.CMPS || i.op == Op.SCAS;
        for (int n = 0; n < MOST_ELEMENTS; n++) {
            long count = core.read(1, i.addressSize);
            if (count == 0) {
                return true;
            }
            if (!element(i)) {
                // It has exited, and the rest follows when the exit has been handled.
                return false;
            }
            core.write(1, i.addressSize, count - 1);
            if (compares && flags.zf() != (i.rep == 0xf3)) {
                return true;
            }
            if (core.stop != null) {
                break;
            }
        }
        return core.read(1, i.addressSize) == 0;
    }

    private boolean element(Insn i) {
        switch (i.op) {
            case MOVS:
                store(i, load(i));
                step(i, 6);
                step(i, 7);
                break;
            case STOS:
                store(i, gpr[0]);
                step(i, 7);
                break;
            case LODS:
                core.write(0, i.size, load(i));
                step(i, 6);
                break;
            case CMPS:
                long left = load(i);
                long right = destination(i);
                flags.subtract(left, right, left - right, i.size);
                step(i, 6);
                step(i, 7);
                break;
            case SCAS:
                long al = core.read(0, i.size);
                long found = destination(i);
                flags.subtract(al, found, al - found, i.size);
                step(i, 7);
                break;
            case OUTS:
                return out(i);
            default:
                return in(i);
        }
        return true;
    }

    private long load(Insn i) {
        return core.memory.load(core.linear(i.segment, core.read(6, i.addressSize), i.size, false), i.size, core.reading);
    }

    private long destination(Insn i) {
        return core.memory.load(core.linear(Segments.ES, core.read(7, i.addressSize), i.size, false), i.size, core.reading);
    }

    private void store(Insn i, long value) {
        core.memory.store(core.linear(Segments.ES, core.read(7, i.addressSize), i.size, true), i.size, value, core.writing);
    }

    private void step(Insn i, int register) {
        long by = (flags.value() & Flags.DF) != 0 ? -i.size : i.size;
        core.write(register, i.addressSize, core.read(register, i.addressSize) + by);
    }

    private boolean out(Insn i) {
        int width = Math.min(i.size, 4);
        long value = core.memory.load(core.linear(i.segment, core.read(6, i.addressSize), width, false), width, core.reading);
        GuestOperation o = core.memory.operation;
        o.kind = GuestOperation.Kind.OUT;
        o.port = (int) gpr[2] & 0xffff;
        o.width = width;
        o.value = value;
        core.completion = ignored -> done(i, 6);
        core.require(core.ports.out(o.port, width, value));
        core.completion = null;
        core.stop = ExecutionEngine.Stop.BUDGET;
        step(i, 6);
        return true;
    }

    /** The destination is tried before the port is read, so that the element is stored once the port has answered. */
    private boolean in(Insn i) {
        int width = Math.min(i.size, 4);
        long at = core.linear(Segments.ES, core.read(7, i.addressSize), width, true);
        core.memory.load(at, width, core.writing);
        GuestOperation o = core.memory.operation;
        o.kind = GuestOperation.Kind.IN;
        o.port = (int) gpr[2] & 0xffff;
        o.width = width;
        core.completion = value -> {
            core.memory.store(at, width, value, core.writing);
            return done(i, 7);
        };
        int outcome = core.ports.in(o.port, width);
        core.require(outcome);
        core.completion = null;
        if (outcome == Outcome.DONE) {
            core.memory.store(at, width, core.cpu.result(), core.writing);
            step(i, 7);
        }
        return true;
    }

    /** An element that exited is complete; answers 1 if the instruction is. */
    private long done(Insn i, int register) {
        step(i, register);
        if (i.rep == 0) {
            return 1;
        }
        long count = truncate(core.read(1, i.addressSize) - 1, i.addressSize);
        core.write(1, i.addressSize, count);
        return count == 0 ? 1 : 0;
    }
}
