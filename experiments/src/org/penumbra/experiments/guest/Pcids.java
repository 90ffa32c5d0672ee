package org.penumbra.experiments.guest;

import org.penumbra.api.paging.ControlBits;

/**
 * Process-context identifiers: each process has its own, so that a switch keeps what the TLB holds (SDM vol. 3, "Process-Context
 * Identifiers (PCIDs)"). PCID 0 belongs to the boot tables. With more processes than identifiers an identifier changes hands, and
 * the switch that gives it to its new owner flushes it.
 */
final class Pcids {
    private static final int COUNT = 1 << 12;

    private final Process[] owner = new Process[COUNT];

    /** The PCID of process number {@code pid}, from 1. */
    int of(int pid) {
        return 1 + (pid - 1) % (COUNT - 1);
    }

    /** The operand of the MOV to CR3 that switches to {@code p}. */
    long switchTo(Process p) {
        int pcid = of(p.pid);
        boolean flushed = owner[pcid] != p;
        owner[pcid] = p;
        return p.memory.cr3() | (flushed ? 0 : ControlBits.CR3_NO_FLUSH);
    }
}
