package org.penumbra.cpu.decode;

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
 *
 * One class although it is long: what a prefix, the ModRM byte or the mode say is looked at by all that comes after it.
 */
public final class Decoder {
    /** The longest instruction; a longer one is #GP. */
    public static final int MOST_BYTES = 15;
    private static final int[] BASE16 = {3, 3, 5, 5, 6, 7, 5, 3};
    private static final int[] INDEX16 = {6, 7, 6, 7, -1, -1, -1, -1};

    private final InstructionTable table;
    private byte[] bytes;
    private int available;
    private int at;
    private boolean dry;

    private boolean wide;
    private boolean osize;
    private boolean asize;
    private int rep;
    private int override;
    private int rex;
    private boolean vex;
    private int vvvv;
    private int vexLength;
    private boolean vexWide;
    private int words;
    private boolean sib;
    private int modrm;

    public Decoder(InstructionTable table) {
        this.table = table;
    }

    /**
     * The instruction at the begin of {@code code}, in code of {@code bits} (16, 32, 64): perhaps {@link Op#UNDEFINED}, or
     * {@link Op#TOO_LONG} if 15 bytes do not hold it.
     *
     * @return null if the {@code count} bytes are fewer than 15 and do not hold it
     */
    public Insn decode(byte[] code, int count, int bits) {
        bytes = code;
        available = Math.min(count, MOST_BYTES);
        at = 0;
        dry = false;
        Insn insn = new Insn();
        boolean known = decode(insn, bits);
        if (dry && available < MOST_BYTES) {
            return null;
        }
        insn.length = at;
        if (dry) {
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

    private int next() {
        if (at >= available) {
            dry = true;
            return 0;
        }
        return bytes[at++] & 0xff;
    }

    private long next(int count) {
        long value = 0;
        for (int i = 0; i < count; i++) {
            value |= (long) next() << 8 * i;
        }
        return value;
    }

    private long signed(int count) {
        int shift = 64 - 8 * count;
        return next(count) << shift >> shift;
    }

    private boolean decode(Insn i, int bits) {
        boolean in64 = bits == 64;
        int opcode = prefixes(i, in64);
        int map = 0;
        if (vex || isVex(opcode, in64)) {
            if (rep != 0 || osize || i.lock || rex != 0) {
                vexPrefix(opcode, in64);
                return false;
            }
            map = vexPrefix(opcode, in64);
            opcode = next();
        } else if (opcode == 0x0f) {
            opcode = next();
            map = 1;
            if (opcode == 0x38 || opcode == 0x3a) {
                map = opcode == 0x38 ? 2 : 3;
                opcode = next();
            }
        }
        if (dry) {
            return false;
        }
        Entry e = find(map, opcode, in64);
        if (dry || e == null || e.op() == null) {
            return false;
        }
        i.entry = e;
        i.op = e.op();
        i.condition = opcode & 15;
        i.rep = e.has("rep") ? rep : 0;
        i.lane = e.lane();
        i.scalar = e.has("scalar");
        // SDM vol. 2, "AVX Instruction Exception Classification": only what moves aligned data checks.
        i.unaligned = e.has("unaligned") || e.has("vex") && e.op() != Op.MOVX;
        i.rounds = e.has("rounds");
        i.ends = e.has("end") || i.rep != 0;
        i.addressSize = in64 ? asize ? 4 : 8 : bits == 32 != asize ? 4 : 2;
        i.vex = vex;
        i.xmm = e.vector("VWUH");
        i.mmx = e.vector("PQN");
        i.integer = e.has("int");
        i.pops = e.has("pop") ? 1 : e.has("pop2") ? 2 : 0;
        words = vex && vexLength != 0 && !e.has("lig") ? 4 : i.mmx && !i.xmm ? 1 : 2;
        i.words = words;
        int size = operandSize(e, bits);
        i.size = e.has("byte") ? 1 : size;
        if (e.modrm()) {
            i.x87 = (opcode & 7) << 8 | modrm;
            at++;
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
        if (override >= 0 && !(in64 && override < Segments.FS)) {
            i.segment = override;
        }
        int n = 0;
        i.hr = -1;
        for (String o : e.operands()) {
            if (o.equals("Hx") && n > 0) {
                i.hr = vvvv;
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

    /** Takes the prefixes and answers the byte after them. */
    private int prefixes(Insn i, boolean in64) {
        osize = false;
        asize = false;
        rep = 0;
        override = -1;
        rex = 0;
        vex = false;
        vvvv = 0;
        i.segment = -1;
        while (true) {
            int b = next();
            if (dry) {
                return 0;
            }
            switch (b) {
                case 0x66:
                    osize = true;
                    break;
                case 0x67:
                    asize = true;
                    break;
                case 0xf0:
                    i.lock = true;
                    break;
                case 0xf2:
                case 0xf3:
                    rep = b;
                    break;
                case 0x26:
                case 0x2e:
                case 0x36:
                case 0x3e:
                    override = b >> 3 & 3;
                    break;
                case 0x64:
                case 0x65:
                    override = b & 7;
                    break;
                default:
                    if (in64 && (b & 0xf0) == 0x40) {
                        rex = b;
                        continue;
                    }
                    wide = (rex & 8) != 0;
                    return b;
            }
            // A REX prefix counts only where the opcode follows it.
            rex = 0;
        }
    }

    /** C4 and C5 are LES and LDS outside 64-bit mode if what follows would be a memory operand. */
    private boolean isVex(int opcode, boolean in64) {
        if (opcode != 0xc4 && opcode != 0xc5) {
            return false;
        }
        int following = at < available ? bytes[at] & 0xff : next();
        return !dry && (in64 || following >= 0xc0);
    }

    /** Takes the rest of a VEX prefix; answers the opcode map. */
    private int vexPrefix(int first, boolean in64) {
        vex = true;
        int second = next();
        int map = 1;
        int last = second;
        rex = 0x40 | (~second >>> 5 & 4);
        wide = false;
        if (first == 0xc4) {
            map = second & 0x1f;
            rex |= ~second >>> 5 & 3;
            last = next();
            wide = in64 && (last & 0x80) != 0;
        }
        if (!in64) {
            rex = 0x40;
        }
        vvvv = ~last >>> 3 & (in64 ? 15 : 7);
        vexWide = first == 0xc4 && (last & 0x80) != 0;
        vexLength = last >>> 2 & 1;
        int pp = last & 3;
        osize = pp == 1;
        rep = pp == 2 ? 0xf3 : pp == 3 ? 0xf2 : 0;
        return map >= 1 && map <= 3 ? map : 0;
    }

    private Entry find(int map, int opcode, boolean in64) {
        for (Entry e : table.candidates(map, opcode)) {
            if (e.modrm()) {
                if (at >= available) {
                    dry = true;
                    return null;
                }
                modrm = bytes[at] & 0xff;
            }
            if (fits(e, in64)) {
                return e;
            }
        }
        return null;
    }

    private boolean fits(Entry e, boolean in64) {
        int given = rep != 0 ? rep : osize ? 0x66 : 0;
        if (e.prefix() >= 0 && e.prefix() != given
                || e.has("vex") != vex || vex && !vexFits(e)
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
        return !(e.has("l0") && vexLength != 0 || e.has("l1") && vexLength == 0 || e.has("w0") && vexWide || e.has("w1") && !vexWide)
                && (vvvv == 0 || e.operands().stream().anyMatch(o -> o.charAt(0) == 'B' || o.charAt(0) == 'H'));
    }

    private int operandSize(Entry e, int bits) {
        if (bits == 64) {
            if (e.has("f64")) {
                return 8;
            }
            if (e.has("d32")) {
                return wide ? 8 : 4;
            }
            return wide ? 8 : osize ? 2 : e.has("d64") ? 8 : 4;
        }
        return e.has("d32") ? 4 : bits == 32 != osize ? 4 : 2;
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
            int sib = next();
            int index = sib >>> 3 & 7 | (rex & 2) << 2;
            i.index = index == 4 && !i.entry.operands().contains("X") ? -1 : index;
            i.scale = sib >>> 6;
            rm = sib & 7;
            if (rm == 5 && mod == 0) {
                bytesOfDisp = 4;
            } else {
                i.base = rm | (rex & 1) << 3;
            }
        } else if (rm == 5 && mod == 0) {
            bytesOfDisp = 4;
            i.base = in64 ? Insn.RIP : -1;
        } else {
            i.base = rm | (rex & 1) << 3;
        }
        i.disp = bytesOfDisp == 0 ? 0 : signed(bytesOfDisp);
        if (i.base == 4 || i.base == 5) {
            i.segment = Segments.SS;
        }
    }

    private void memory16(Insn i, int mod, int rm) {
        if (mod == 0 && rm == 6) {
            i.disp = next(2);
            return;
        }
        i.base = BASE16[rm];
        i.index = INDEX16[rm];
        i.disp = mod == 1 ? signed(1) : mod == 2 ? signed(2) : 0;
        if (i.base == 5) {
            i.segment = Segments.SS;
        }
    }

    private void operand(Insn i, int n, String o, int opcode, int size, boolean in64) {
        int width = o.length() > 1 ? width(o.charAt(1), size, in64) : size;
        int low = modrm & 7 | (rex & 1) << 3;
        int mid = modrm >>> 3 & 7 | (rex & 4) << 1;
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
                set(i, n, Insn.SEG, "ESCSSSDSFSGS".indexOf(o) / 2, 2);
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
                i.imm = next(size);
                i.imm2 = next(2);
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
                general(i, n, vvvv, width);
                break;
            case 'Z':
                general(i, n, opcode & 7 | (rex & 1) << 3, width);
                break;
            case 'I':
                immediate(i, n, o.charAt(1), size);
                break;
            case 'J':
                i.imm = o.charAt(1) == 'b' ? signed(1) : size == 2 ? signed(2) : signed(4);
                set(i, n, Insn.IMM, 0, size);
                break;
            case 'O':
                i.disp = next(i.addressSize);
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
                set(i, n, Insn.XMM, vvvv, width);
                break;
            case 'L':
                i.imm = next() >>> 4 & (in64 ? 15 : 7);
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
                value = next();
                break;
            case 's':
                value = signed(1);
                break;
            case 'w':
                value = next(2);
                break;
            case 'v':
                value = next(size);
                break;
            default:
                value = size == 2 ? signed(2) : signed(4);
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
                return in64 && (wide || size == 8) ? 8 : 4;
            case 'p':
                return size + 2;
            default:
                return size;
        }
    }

    /** A general-purpose register; without REX or VEX the byte registers 4 to 7 are AH to BH. */
    private void general(Insn i, int n, int register, int width) {
        if (width == 1 && rex == 0 && register >= 4 && register < 8) {
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
