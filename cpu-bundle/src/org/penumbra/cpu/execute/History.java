package org.penumbra.cpu.execute;

import java.util.ArrayList;
import java.util.List;
import org.penumbra.cpu.decode.Disassembler;
import org.penumbra.cpu.decode.Insn;

/** The straight runs of code that were entered last, for a report. */
final class History {
    private static final int KEPT = 16;
    private static final int SHOWN = 16;

    private final long[] rip = new long[KEPT];
    private final Insn[][] code = new Insn[KEPT][];
    private int at;

    /** A run of {@code insns} at {@code start} begins. */
    void enter(long start, Insn[] insns) {
        at = at + 1 & KEPT - 1;
        rip[at] = start;
        code[at] = insns;
    }

    /** The last instructions, up to the one at {@code until}, disassembled. */
    List<String> lines(long until) {
        List<String> lines = new ArrayList<>();
        for (int n = KEPT - 1; n >= 0; n--) {
            int k = at - n & KEPT - 1;
            long address = rip[k];
            for (int i = 0; code[k] != null && i < code[k].length; i++) {
                lines.add(String.format("  %016x  %s", address, Disassembler.text(code[k][i], address)));
                if (n == 0 && address == until) {
                    break;
                }
                address += code[k][i].length;
            }
        }
        return lines.subList(Math.max(0, lines.size() - SHOWN), lines.size());
    }
}
