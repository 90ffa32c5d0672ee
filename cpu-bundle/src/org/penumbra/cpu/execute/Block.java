package org.penumbra.cpu.execute;

import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.cpu.decode.Insn;

/**
 * A straight run of decoded instructions within one frame, by physical address and mode, with the bytes they were decoded from: memory is
 * compared with them before each use, whoever may have written there.
 */
final class Block {
    static final int MOST = 32;

    final long hpa;
    final int bits;
    final Insn[] code;
    /** By instruction: what executes it, null where that is the {@link Interpreter}'s. */
    final Form[] forms;
    /** Bytes of all instructions. */
    final int length;
    private final long[] words;
    private long[] frame;

    Block(PhysicalMemory memory, long hpa, int bits, Insn[] code, int length) {
        this.hpa = hpa;
        this.bits = bits;
        this.code = code;
        this.forms = forms(code);
        this.length = length;
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

    /** True if memory still holds what was decoded. Neighbouring bytes in the same words count, too. */
    boolean fresh(PhysicalMemory memory) {
        if (!PhysicalMemory.holds(frame, hpa)) {
            frame = memory.frame(hpa);
        }
        for (int i = 0; i < words.length; i++) {
            if (PhysicalMemory.word(frame, hpa + 8 * i) != words[i]) {
                return false;
            }
        }
        return true;
    }
}
