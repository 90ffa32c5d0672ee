package org.penumbra.cpu.execute;

import java.util.Arrays;
import org.penumbra.api.cpu.MemoryHooks;
import org.penumbra.api.cpu.MemoryPort;
import org.penumbra.api.cpu.Outcome;
import org.penumbra.api.cpu.GuestOperation;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.paging.Access;
import org.penumbra.cpu.decode.Decoder;
import org.penumbra.cpu.decode.Insn;
import org.penumbra.cpu.table.InstructionTable;

/**
 * Fetches and decodes. Each run of instructions is translated once when it is entered; an instruction that lies in two pages is fetched alone, from
 * both.
 */
final class CodeCache {
    private static final int ENTRIES = 1 << 14;
    private static final int PAGE = PhysicalMemory.FRAME_BYTES;

    private final Core core;
    private final MemoryPort port;
    private final PhysicalMemory memory;
    private final Decoder decoder = new Decoder(new InstructionTable());
    private final Block[] blocks = new Block[ENTRIES];
    private final byte[] bytes = new byte[Decoder.MOST_BYTES];

    CodeCache(Core core, MemoryPort port) {
        this.core = core;
        this.port = port;
        this.memory = core.cpu.memory();
    }

    /** The instructions at linear address {@code gva}; traps if they cannot be fetched. */
    Block at(long gva) {
        long hpa = translate(gva);
        core.memory.codeFrame(hpa);
        int slot = (int) (hpa ^ hpa >>> 12 ^ (long) core.bits << 7) & ENTRIES - 1;
        Block b = blocks[slot];
        if (b != null && b.hpa == hpa && b.bits == core.bits && b.fresh(memory)) {
            return b;
        }
        b = build(hpa);
        if (b == null) {
            return crossing(gva, hpa);
        }
        blocks[slot] = b;
        return b;
    }

    private long translate(long gva) {
        int access = core.registers.access(Access.FETCH);
        int outcome = port.fetch(gva, 1, access);
        if (outcome != Outcome.DONE) {
            GuestOperation o = core.memory.operation;
            o.kind = GuestOperation.Kind.FETCH;
            o.gva = gva;
            o.width = 1;
            throw core.trap(outcome);
        }
        return port.value;
    }

    /** Null if not even the first instruction lies within the frame. */
    private Block build(long hpa) {
        Insn[] code = new Insn[Block.MOST];
        int count = 0;
        long at = hpa;
        long end = (hpa | PAGE - 1) + 1;
        while (count < Block.MOST && at < end) {
            int available = (int) Math.min(Decoder.MOST_BYTES, end - at);
            for (int i = 0; i < available; i++) {
                bytes[i] = (byte) memory.load(at + i, 1);
            }
            Insn insn = decoder.decode(bytes, available, core.bits);
            if (insn == null) {
                break;
            }
            code[count++] = insn;
            at += insn.length;
            if (insn.ends) {
                break;
            }
        }
        return count == 0 ? null : new Block(memory, hpa, core.bits, Arrays.copyOf(code, count), (int) (at - hpa), true);
    }

    private Block crossing(long gva, long hpa) {
        int here = PAGE - (int) (gva & PAGE - 1);
        long second = translate(core.in64 ? gva + here : gva + here & 0xffff_ffffL);
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) (i < here ? memory.load(hpa + i, 1) : memory.load(second + i - here, 1));
        }
        return new Block(memory, hpa, core.bits, new Insn[] {decoder.decode(bytes, bytes.length, core.bits)}, here, false);
    }

    /** The instruction at {@code gva} as the hypervisor's hooks read it; traps if they refuse. */
    Insn at(long gva, MemoryHooks hooks) {
        for (int i = 0; i < bytes.length; i++) {
            if (!hooks.prepare(gva + i, 1, Access.FETCH)) {
                throw Trap.REFUSED;
            }
            bytes[i] = (byte) hooks.load(gva + i, 1);
            Insn insn = decoder.decode(bytes, i + 1, core.bits);
            if (insn != null) {
                return insn;
            }
        }
        throw new IllegalStateException("15 bytes hold an instruction, or are too many");
    }
}
