package org.penumbra.cpu.decode;

/**
 * What the prefixes of an instruction say (SDM vol. 2, "Instruction Prefixes", "REX Prefixes", "The VEX Prefix"). A VEX prefix says what REX, 66H,
 * F2H and F3H say, too.
 *
 * <pre>
 *  REX    3 W   2 R   1 X   0 B
 *  C5     7 R inverted   6:3 vvvv inverted   2 L   1:0 pp
 *  C4     7 R, 6 X, 5 B inverted   4:0 map     then   7 W   6:3 vvvv inverted   2 L   1:0 pp
 * </pre>
 */
final class Prefixes {
    /** 66H, 67H. */
    boolean osize;
    boolean asize;
    /** F2H, F3H, or 0. */
    int rep;
    boolean lock;
    /** The segment that is named, or −1. */
    int override;
    /** REX.W, or VEX.W in 64-bit mode. */
    boolean wide;
    boolean vex;
    int vvvv;
    int vexLength;
    boolean vexWide;
    private int rex;

    /** Takes all before the opcode but VEX, and the byte after them, which it answers. */
    int take(CodeBytes code, boolean in64) {
        osize = false;
        asize = false;
        rep = 0;
        lock = false;
        override = -1;
        rex = 0;
        vex = false;
        vvvv = 0;
        while (true) {
            int b = code.next();
            if (code.dry()) {
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
                    lock = true;
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
    static boolean isVex(int opcode, CodeBytes code, boolean in64) {
        if (opcode != 0xc4 && opcode != 0xc5) {
            return false;
        }
        int following = code.peek();
        return !code.dry() && (in64 || following >= 0xc0);
    }

    /** One that VEX must not follow. */
    boolean forbidsVex() {
        return rep != 0 || osize || lock || rex != 0;
    }

    /** Takes the rest of a VEX prefix that begins with {@code first}; answers the opcode map, 0 for one that is not known. */
    int takeVex(int first, CodeBytes code, boolean in64) {
        vex = true;
        int second = code.next();
        int map = 1;
        int last = second;
        rex = 0x40 | (~second >>> 5 & 4);
        wide = false;
        if (first == 0xc4) {
            map = second & 0x1f;
            rex |= ~second >>> 5 & 3;
            last = code.next();
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

    /** There is a REX or VEX prefix. */
    boolean extended() {
        return rex != 0;
    }

    /** Bit 3 of the register in ModRM.reg. */
    int r() {
        return (rex & 4) << 1;
    }

    /** Bit 3 of the index in SIB. */
    int x() {
        return (rex & 2) << 2;
    }

    /** Bit 3 of the register in ModRM.rm, SIB.base or the opcode. */
    int b() {
        return (rex & 1) << 3;
    }
}
