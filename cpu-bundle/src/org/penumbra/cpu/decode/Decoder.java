package org.penumbra.cpu.decode;

import java.util.List;
import org.penumbra.api.cpu.Segments;
import org.penumbra.cpu.table.Entry;
import org.penumbra.cpu.table.InstructionTable;
import org.penumbra.cpu.table.Op;

/**
 * Decodes instructions by the table (SDM vol. 2, "Instruction Format"). One thread.
 *
 * <pre>
 *  prefixes   REX | VEX   opcode (1 to 3 bytes)   ModRM   SIB   displacement   immediates       at most 15 bytes
 * </pre>
 */
public final class Decoder {
    /** The longest instruction; a longer one is #GP. */
    public static final int MOST_BYTES = 15;
    /** By their numbers in ModRM.reg. */
    private static final List<String> SEGMENTS = List.of("ES", "CS", "SS", "DS", "FS", "GS");
    private static final int[] BASE16 = {3, 3, 5, 5, 6, 7, 5, 3};
    private static final int[] INDEX16 = {6, 7, 6, 7, -1, -1, -1, -1};

    private final InstructionTable table;
    private final CodeBytes code = new CodeBytes();
    private final Prefixes prefixes = new Prefixes();
    private int words;
    private boolean sib;
    private int modrm;

    public Decoder(InstructionTable table) {
        this.table = table;
    }

    /**
     * The instruction at the begin of {@code bytes}, in code of {@code bits} (16, 32, 64): perhaps {@link Op#UNDEFINED}, or
     * {@link Op#TOO_LONG} if 15 bytes do not hold it.
     *
     * @return null if the {@code count} bytes are fewer than 15 and do not hold it
     */
    public Insn decode(byte[] bytes, int count, int bits) {
        code.begin(bytes, Math.min(count, MOST_BYTES));
        Insn insn = new Insn();
        boolean known = decode(insn, bits);
        if (code.dry() && count < MOST_BYTES) {
            return null;
        }
        insn.length = code.taken();
        if (code.dry()) {
            insn.op = Op.TOO_LONG;
        } else if (!known) {
            insn.op = Op.UNDEFINED;
        }
        if (insn.op == Op.TOO_LONG || insn.op == Op.UNDEFINED) {
            insn.entry = null;
            insn.ends = true;
        }
        return insn;
    }

    private boolean decode(Insn i, int bits) {
        boolean in64 = bits == 64;
        int opcode = prefixes.take(code, in64);
        i.lock = prefixes.lock;
        i.segment = -1;
        int map = 0;
        if (Prefixes.isVex(opcode, code, in64)) {
            boolean forbidden = prefixes.forbidsVex();
            map = prefixes.takeVex(opcode, code, in64);
            if (forbidden) {
                return false;
            }
            opcode = code.next();
        } else if (opcode == 0x0f) {
            opcode = code.next();
            map = 1;
            if (opcode == 0x38 || opcode == 0x3a) {
                map = opcode == 0x38 ? 2 : 3;
                opcode = code.next();
            }
        }
        if (code.dry()) {
            return false;
        }
        Entry e = find(map, opcode, in64);
        if (code.dry() || e == null || e.op() == null) {
            return false;
        }
        i.entry = e;
        i.op = e.op();
        i.condition = opcode & 15;
        i.rep = e.has("rep") ? prefixes.rep : 0;
        i.lane = e.lane();
        i.scalar = e.has("scalar");
        // SDM vol. 2, "AVX Instruction Exception Classification": only what moves aligned data checks.
        i.unaligned = e.has("unaligned") || e.has("vex") && e.op() != Op.MOVX;
        i.rounds = e.has("rounds");
        i.ends = e.has("end") || i.rep != 0;
        i.addressSize = in64 ? prefixes.asize ? 4 : 8 : bits == 32 != prefixes.asize ? 4 : 2;
        i.vex = prefixes.vex;
        i.xmm = e.vector("VWUH");
        i.mmx = e.vector("PQN");
        i.integer = e.has("int");
        i.pops = e.has("pop") ? 1 : e.has("pop2") ? 2 : 0;
        words = prefixes.vex && prefixes.vexLength != 0 && !e.has("lig") ? 4 : i.mmx && !i.xmm ? 1 : 2;
        i.words = words;
        int size = operandSize(e, bits);
        i.size = e.has("byte") ? 1 : size;
        if (e.modrm()) {
            i.x87 = (opcode & 7) << 8 | modrm;
            code.next();
            if (modrm >>> 6 != 3 && !isRegisterOnly(e)) {
                memory(i, in64);
            }
        }
        boolean indices = e.operands().contains("X");
        if (indices && !sib) {
            return false;
        }
        if (i.segment < 0) {
            i.segment = Segments.DS;
        }
        if (prefixes.override >= 0 && !(in64 && prefixes.override < Segments.FS)) {
            i.segment = prefixes.override;
        }
        int n = 0;
        i.hr = -1;
        for (String o : e.operands()) {
            if (o.equals("Hx") && n > 0) {
                i.hr = prefixes.vvvv;
            } else {
                operand(i, n++, o, opcode, size, in64);
            }
        }
        i.mmx = i.ak == Insn.MMX || i.bk == Insn.MMX;
        i.hr = i.hr >= 0 ? i.hr : e.operands().size() > 1 && e.operands().get(0).equals("Hx") ? i.br : i.ar;
        if (map == 0 && opcode == 0x90 && i.ar == 0) {
            // SDM vol. 2, "NOP": it does not clear the upper half of RAX, as XCHG EAX, EAX would.
            i.op = Op.NOP;
        }
        if (i.ak == Insn.SEG && i.ar > Segments.GS || i.bk == Insn.SEG && i.br > Segments.GS || i.op == Op.MOV_TO_SEG && i.ar == Segments.CS) {
            return false;
        }
        return !i.lock || e.has("lock") && i.ak == Insn.MEM;
    }

    private static boolean isRegisterOnly(Entry e) {
        return e.operands().stream().anyMatch(o -> o.charAt(0) == 'C' && o.length() == 2 && o.charAt(1) == 'y' || o.equals("Dy"));
    }

    private Entry find(int map, int opcode, boolean in64) {
        for (Entry e : table.candidates(map, opcode)) {
            if (e.modrm()) {
                modrm = code.peek();
                if (code.dry()) {
                    return null;
                }
            }
            if (fits(e, in64)) {
                return e;
            }
        }
        return null;
    }

    private boolean fits(Entry e, boolean in64) {
        int given = prefixes.rep != 0 ? prefixes.rep : prefixes.osize ? 0x66 : 0;
        if (e.prefix() >= 0 && e.prefix() != given
                || e.has("vex") != prefixes.vex || prefixes.vex && !vexFits(e)
                || in64 && e.has("i64") || !in64 && e.has("o64")
                || e.third() >= 0 && e.third() != (e.span() == 8 ? modrm & ~7 : modrm)
                || e.digit() >= 0 && e.digit() != (modrm >>> 3 & 7)) {
            return false;
        }
        boolean memory = modrm >>> 6 != 3;
        for (String o : e.operands()) {
            char c = o.charAt(0);
            boolean memoryOnly = c == 'M' || c == 'X';
            boolean registerOnly = o.length() > 1 && Character.isLowerCase(o.charAt(1)) && (c == 'R' || c == 'U' || c == 'N');
            if (memoryOnly && !memory || registerOnly && memory && !isRegisterOnly(e)) {
                return false;
            }
        }
        return true;
    }

    /** SDM vol. 2, "VEX.vvvv and Instructions that …": without an operand there it has to be 1111b. */
    private boolean vexFits(Entry e) {
        boolean otherLength = e.has("l0") && prefixes.vexLength != 0 || e.has("l1") && prefixes.vexLength == 0;
        boolean otherWidth = e.has("w0") && prefixes.vexWide || e.has("w1") && !prefixes.vexWide;
        return !otherLength && !otherWidth
                && (prefixes.vvvv == 0 || e.operands().stream().anyMatch(o -> o.charAt(0) == 'B' || o.charAt(0) == 'H'));
    }

    private int operandSize(Entry e, int bits) {
        if (bits == 64) {
            if (e.has("f64")) {
                return 8;
            }
            if (e.has("d32")) {
                return prefixes.wide ? 8 : 4;
            }
            return prefixes.wide ? 8 : prefixes.osize ? 2 : e.has("d64") ? 8 : 4;
        }
        return e.has("d32") ? 4 : bits == 32 != prefixes.osize ? 4 : 2;
    }

    private void memory(Insn i, boolean in64) {
        int mod = modrm >>> 6;
        int rm = modrm & 7;
        sib = false;
        if (i.addressSize == 2) {
            memory16(i, mod, rm);
            return;
        }
        sib = rm == 4;
        int bytesOfDisp = mod == 1 ? 1 : mod == 2 ? 4 : 0;
        if (rm == 4) {
            int octet = code.next();
            int index = octet >>> 3 & 7 | prefixes.x();
            i.index = index == 4 && !i.entry.operands().contains("X") ? -1 : index;
            i.scale = octet >>> 6;
            rm = octet & 7;
            if (rm == 5 && mod == 0) {
                bytesOfDisp = 4;
            } else {
                i.base = rm | prefixes.b();
            }
        } else if (rm == 5 && mod == 0) {
            bytesOfDisp = 4;
            i.base = in64 ? Insn.RIP : -1;
        } else {
            i.base = rm | prefixes.b();
        }
        i.disp = bytesOfDisp == 0 ? 0 : code.signed(bytesOfDisp);
        if (i.base == 4 || i.base == 5) {
            i.segment = Segments.SS;
        }
    }

    private void memory16(Insn i, int mod, int rm) {
        if (mod == 0 && rm == 6) {
            i.disp = code.next(2);
            return;
        }
        i.base = BASE16[rm];
        i.index = INDEX16[rm];
        i.disp = mod == 1 ? code.signed(1) : mod == 2 ? code.signed(2) : 0;
        if (i.base == 5) {
            i.segment = Segments.SS;
        }
    }

    private void operand(Insn i, int n, String o, int opcode, int size, boolean in64) {
        int width = o.length() > 1 ? width(o.charAt(1), size, in64) : size;
        int low = modrm & 7 | prefixes.b();
        int mid = modrm >>> 3 & 7 | prefixes.r();
        switch (o) {
            case "AL":
                general(i, n, 0, 1);
                return;
            case "CL":
                general(i, n, 1, 1);
                return;
            case "DX":
                general(i, n, 2, 2);
                return;
            case "rAX":
                general(i, n, 0, size);
                return;
            case "eAX":
                general(i, n, 0, Math.min(size, 4));
                return;
            case "1":
                i.imm = 1;
                set(i, n, Insn.IMM, 0, 1);
                return;
            case "ES":
            case "CS":
            case "SS":
            case "DS":
            case "FS":
            case "GS":
                set(i, n, Insn.SEG, SEGMENTS.indexOf(o), 2);
                return;
            case "ST0":
                set(i, n, Insn.ST, 0, 10);
                return;
            case "STi":
                set(i, n, Insn.ST, modrm & 7, 10);
                return;
            case "X":
                set(i, n, Insn.MEM, 0, i.lane);
                return;
            case "M":
                set(i, n, Insn.MEM, 0, size);
                return;
            case "Ap":
                i.imm = code.next(size);
                i.imm2 = code.next(2);
                set(i, n, Insn.FAR, 0, size);
                return;
            default:
        }
        switch (o.charAt(0)) {
            case 'E':
            case 'M':
            case 'R':
                if (modrm >>> 6 != 3 && !isRegisterOnly(i.entry)) {
                    set(i, n, Insn.MEM, 0, width);
                } else {
                    general(i, n, low, isRegisterOnly(i.entry) ? in64 ? 8 : 4 : width);
                }
                break;
            case 'G':
                general(i, n, mid, width);
                break;
            case 'B':
                general(i, n, prefixes.vvvv, width);
                break;
            case 'Z':
                general(i, n, opcode & 7 | prefixes.b(), width);
                break;
            case 'I':
                immediate(i, n, o.charAt(1), size);
                break;
            case 'J':
                i.imm = o.charAt(1) == 'b' ? code.signed(1) : size == 2 ? code.signed(2) : code.signed(4);
                set(i, n, Insn.IMM, 0, size);
                break;
            case 'O':
                i.disp = code.next(i.addressSize);
                set(i, n, Insn.MEM, 0, width);
                break;
            case 'S':
                set(i, n, Insn.SEG, modrm >>> 3 & 7, 2);
                break;
            case 'C':
                set(i, n, Insn.CR, mid, in64 ? 8 : 4);
                break;
            case 'D':
                set(i, n, Insn.DR, mid, in64 ? 8 : 4);
                break;
            case 'V':
                set(i, n, Insn.XMM, mid, width);
                break;
            case 'H':
                set(i, n, Insn.XMM, prefixes.vvvv, width);
                break;
            case 'L':
                i.imm = code.next() >>> 4 & (in64 ? 15 : 7);
                set(i, n, Insn.IMM, 0, 1);
                break;
            case 'W':
            case 'U':
                set(i, n, modrm >>> 6 != 3 ? Insn.MEM : Insn.XMM, low, width);
                break;
            case 'P':
                set(i, n, Insn.MMX, mid & 7, 8);
                break;
            case 'Q':
            case 'N':
                set(i, n, modrm >>> 6 != 3 ? Insn.MEM : Insn.MMX, low & 7, width);
                break;
            default:
                throw new IllegalStateException("the table has an operand " + o + ", which nobody decodes");
        }
    }

    private void immediate(Insn i, int n, char type, int size) {
        boolean second = i.ak == Insn.IMM || i.bk == Insn.IMM;
        long value;
        switch (type) {
            case 'b':
                value = code.next();
                break;
            case 's':
                value = code.signed(1);
                break;
            case 'w':
                value = code.next(2);
                break;
            case 'v':
                value = code.next(size);
                break;
            default:
                value = size == 2 ? code.signed(2) : code.signed(4);
        }
        if (second) {
            i.imm2 = value;
        } else {
            i.imm = value;
        }
        set(i, n, Insn.IMM, 0, type == 'b' ? 1 : type == 'w' ? 2 : size);
    }

    private int width(char type, int size, boolean in64) {
        switch (type) {
            case 'b':
                return 1;
            case 'w':
                return 2;
            case 'd':
                return 4;
            case 'q':
                return 8;
            case 'x':
                return words << 3;
            case 'h':
                return words << 2;
            case 'f':
                return words << 1;
            case 'e':
                return words;
            case 'o':
                return 16;
            case 't':
                return 10;
            case 'y':
                return in64 && (prefixes.wide || size == 8) ? 8 : 4;
            case 'p':
                return size + 2;
            default:
                return size;
        }
    }

    /** A general-purpose register; without REX or VEX the byte registers 4 to 7 are AH to BH. */
    private void general(Insn i, int n, int register, int width) {
        if (width == 1 && !prefixes.extended() && register >= 4 && register < 8) {
            set(i, n, Insn.HIGH, register - 4, 1);
        } else {
            set(i, n, Insn.GPR, register, width);
        }
    }

    private static void set(Insn i, int n, int kind, int register, int width) {
        if (n == 0) {
            i.ak = kind;
            i.ar = register;
            i.aw = width;
            if (kind == Insn.GPR || kind == Insn.HIGH || kind == Insn.MEM) {
                i.size = width;
            }
        } else if (n == 1) {
            i.bk = kind;
            i.br = register;
            i.bw = width;
        } else {
            i.ck = kind;
            i.cr = register;
            i.cw = width;
        }
    }
}
