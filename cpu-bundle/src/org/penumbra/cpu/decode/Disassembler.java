package org.penumbra.cpu.decode;

/** Instructions as text, in the manuals' syntax: destination first. */
public final class Disassembler {
    private static final String[] CONDITIONS =
            {"o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g"};
    private static final String[] BASIC = {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di"};
    private static final String[] LOW = {"al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil"};
    private static final String[] HIGH = {"ah", "ch", "dh", "bh"};
    private static final String[] SEGMENTS = {"es", "cs", "ss", "ds", "fs", "gs"};

    private Disassembler() {}

    /** The text of {@code i}, which stands at {@code address}. */
    public static String text(Insn i, long address) {
        if (i.entry == null) {
            return "(bad)";
        }
        StringBuilder s = new StringBuilder(i.lock ? "lock " : "");
        if (i.rep != 0) {
            boolean compares = i.entry.mnemonic().equals("cmps") || i.entry.mnemonic().equals("scas");
            s.append(i.rep == 0xf2 ? "repne " : compares ? "repe " : "rep ");
        }
        s.append(i.entry.mnemonic());
        if (i.entry.span() == 16) {
            s.append(CONDITIONS[i.condition]);
        }
        if (i.entry.operands().isEmpty() && i.entry.section().startsWith("strings")) {
            s.append(suffix(i.size));
        }
        String separator = " ";
        int[][] operands = {{i.ak, i.ar, i.aw}, {i.bk, i.br, i.bw}, {i.ck, i.cr, i.cw}};
        int k = 0;
        for (int n = 0; n < i.entry.operands().size(); n++) {
            boolean first = n > 0 && i.entry.operands().get(n).equals("Hx");
            s.append(separator).append(first ? vector(i.hr, 8 * i.words) : operand(i, n, k, operands[k], address));
            k += first ? 0 : 1;
            separator = ", ";
        }
        return s.toString();
    }

    private static String vector(int register, int width) {
        return (width > 16 ? "ymm" : "xmm") + register;
    }

    private static String operand(Insn i, int n, int k, int[] o, long address) {
        switch (o[0]) {
            case Insn.GPR:
                return register(o[1], o[2]);
            case Insn.HIGH:
                return HIGH[o[1]];
            case Insn.MEM:
                return memory(i, i.entry.operands().get(n).equals("M") ? 0 : o[2]);
            case Insn.IMM:
                if (i.entry.operands().get(n).charAt(0) == 'J') {
                    return "0x" + Long.toHexString(address + i.length + i.imm);
                }
                if (i.entry.operands().get(n).equals("Lx")) {
                    return vector((int) i.imm, 8 * i.words);
                }
                boolean second = k == 1 && i.ak == Insn.IMM || k == 2 && i.bk == Insn.IMM;
                return "0x" + Long.toHexString(second ? i.imm2 : i.imm);
            case Insn.SEG:
                return o[1] < SEGMENTS.length ? SEGMENTS[o[1]] : "?";
            case Insn.CR:
                return "cr" + o[1];
            case Insn.DR:
                return "dr" + o[1];
            case Insn.XMM:
                return vector(o[1], o[2]);
            case Insn.MMX:
                return "mm" + o[1];
            case Insn.ST:
                return "st" + o[1];
            default:
                return String.format("0x%x:0x%x", i.imm2, i.imm);
        }
    }

    private static String register(int r, int width) {
        if (r >= 8) {
            return "r" + r + (width == 8 ? "" : width == 4 ? "d" : width == 2 ? "w" : "b");
        }
        return width == 1 ? LOW[r] : (width == 8 ? "r" : width == 4 ? "e" : "") + BASIC[r];
    }

    private static String memory(Insn i, int width) {
        StringBuilder s = new StringBuilder();
        String name = width == 1 ? "byte " : width == 2 ? "word " : width == 4 ? "dword " : width == 8 ? "qword " : "";
        s.append(name).append(i.segment == 4 || i.segment == 5 ? SEGMENTS[i.segment] + ":" : "").append('[');
        String plus = "";
        if (i.base >= 0) {
            s.append(i.base == Insn.RIP ? "rip" : register(i.base, i.addressSize));
            plus = "+";
        }
        if (i.index >= 0) {
            s.append(plus).append(i.entry.operands().contains("X") ? vector(i.index, 8 * i.words) : register(i.index, i.addressSize)).append(i.scale > 0 ? "*" + (1 << i.scale) : "");
            plus = "+";
        }
        if (i.disp != 0 || plus.isEmpty()) {
            s.append(i.disp < 0 && !plus.isEmpty() ? "-0x" + Long.toHexString(-i.disp) : plus + "0x" + Long.toHexString(i.disp));
        }
        return s.append(']').toString();
    }

    private static String suffix(int size) {
        return size == 1 ? "b" : size == 2 ? "w" : size == 4 ? "d" : "q";
    }
}
