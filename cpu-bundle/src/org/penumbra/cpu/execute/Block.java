package org.penumbra.cpu.execute;

import java.util.Arrays;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.cpu.decode.Insn;

/**
 * A straight run of decoded instructions within one frame, by physical address and mode, with the bytes they were decoded from: memory is
 * compared with them before each use, whoever may have written there.
 */
final class Block {
    static final int MOST = 32;
    private static final int WORDS = PhysicalMemory.FRAME_BYTES / 8;

    final long hpa;
    final int bits;
    final Insn[] code;
    /** By instruction: what executes it, null where that is the {@link Interpreter}'s. */
    final Form[] forms;
    /** Bytes of all instructions. */
    final int length;
    private final long[] words;
    private long[] frame;
    /** False for an instruction in two frames, which is decoded anew each time. */
    final boolean kept;
    /** How often the run was entered while it had no {@link #method}. */
    int entered;
    /** Null while nobody has compiled the run. */
    CompiledRun method;

    Block(PhysicalMemory memory, long hpa, int bits, Insn[] code, int length, boolean kept) {
        this.hpa = hpa;
        this.bits = bits;
        this.code = code;
        this.forms = forms(code);
        this.length = length;
        this.kept = kept;
        this.frame = memory.frame(hpa);
        int count = (int) ((hpa + length - 1 >>> 3) - (hpa >>> 3)) + 1;
        words = new long[count];
        for (int i = 0; i < count; i++) {
            words[i] = PhysicalMemory.word(frame, (hpa & -8) + 8 * i);
        }
    }

    private static Form[] forms(Insn[] code) {
        Form[] forms = new Form[code.length];
        for (int i = 0; i < code.length; i++) {
            forms[i] = Forms.of(code[i]);
        }
        return forms;
    }

    /** The method is not to be used any more. */
    void forget() {
        method = null;
        entered = 0;
    }

    /** Where instruction {@code k} is if the first one is at {@code start}. */
    long address(long start, int k) {
        long rip = start;
        for (int i = 0; i < k; i++) {
            rip += code[i].length;
        }
        return bits == 64 ? rip : rip & 0xffff_ffffL;
    }

    /** True if memory still holds what was decoded. Neighbouring bytes in the same words count, too. */
    boolean fresh(PhysicalMemory memory) {
        if (!PhysicalMemory.holds(frame, hpa)) {
            frame = memory.frame(hpa);
        }
        // As in PhysicalMemory: behind the mark, the contents.
        int first = 1 + ((int) (hpa >>> 3) & WORDS - 1);
        return Arrays.equals(frame, first, first + words.length, words, 0, words.length);
    }
}
