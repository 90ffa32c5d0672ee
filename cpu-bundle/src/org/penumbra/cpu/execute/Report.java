package org.penumbra.cpu.execute;

import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.cpu.Segments;

/** The state of a vCPU in lines, as people who debug kernels expect it. */
final class Report {
    private static final String[] NAMES =
            {"RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI", "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15"};
    private static final String[] SEGMENTS = {"ES", "CS", "SS", "DS", "FS", "GS", "LDTR", "TR"};

    private final RegisterFile registers;
    private final int bits;

    Report(RegisterFile registers, int bits) {
        this.registers = registers;
        this.bits = bits;
    }

    String text(History history) {
        StringBuilder s = new StringBuilder(String.format("RIP=%016x RFL=%08x CPL=%d %d-bit code%n",
                registers.rip, registers.rflags, registers.cpl, bits));
        for (int i = 0; i < NAMES.length; i++) {
            s.append(String.format("%-3s=%016x%s", NAMES[i], registers.gpr[i], i % 4 == 3 ? "\n" : " "));
        }
        Segments g = registers.segments;
        for (int i = 0; i < SEGMENTS.length; i++) {
            s.append(String.format("%-4s=%04x base %016x limit %08x rights %05x%n", SEGMENTS[i], g.selector[i], g.base[i], g.limit[i], g.rights[i]));
        }
        s.append(String.format("GDT  base %016x limit %04x%nIDT  base %016x limit %04x%n", g.gdtBase, g.gdtLimit, g.idtBase, g.idtLimit));
        s.append(String.format("CR0=%08x CR2=%016x CR3=%016x CR4=%08x EFER=%04x%n", registers.paging.cr0(), registers.cr2,
                registers.paging.cr3(), registers.paging.cr4(), registers.paging.efer()));
        s.append("last instructions:\n");
        history.lines(registers.rip).forEach(l -> s.append(l).append('\n'));
        return s.toString();
    }
}
