package org.penumbra.cpu.execute;

import static org.penumbra.cpu.execute.Core.truncate;

import org.penumbra.cpu.decode.Insn;
import org.penumbra.cpu.table.Op;

/** Bits, BMI1, BMI2, ADX, byte order, compare-and-exchange. SDM vol. 2, by mnemonic. */
final class BitOps {
    private final Core core;
    private final Flags flags;

    BitOps(Core core) {
        this.core = core;
        this.flags = core.flags;
    }

    void execute(Insn i) {
        switch (i.op) {
            case BT:
            case BTS:
            case BTR:
            case BTC:
                bit(i);
                break;
            case BSF:
            case BSR:
                scan(i);
                break;
            case TZCNT:
            case LZCNT:
                count(i);
                break;
            case POPCNT:
                long counted = core.b(i);
                core.put(i, Long.bitCount(counted));
                flags.write(counted == 0 ? Flags.ZF : 0, Flags.STATUS);
                break;
            case ADCX:
            case ADOX:
                addWithFlag(i, i.op == Op.ADCX ? Flags.CF : Flags.OF);
                break;
            case BSWAP:
                long swapped = Long.reverseBytes(core.a(i));
                // Of 16 bits it is undefined; processors clear them.
                core.put(i, i.size == 8 ? swapped : i.size == 4 ? swapped >>> 32 : 0);
                break;
            case MOVBE:
                core.put(i, Long.reverseBytes(core.b(i)) >>> 64 - (i.size << 3));
                break;
            case XADD:
                long first = core.old(i);
                long second = core.b(i);
                core.put(i, first + second);
                if (!(i.ak == i.bk && i.ar == i.br)) {
                    core.putB(i, first);
                }
                flags.add(first, second, first + second, i.size);
                break;
            case CMPXCHG:
                compareExchange(i);
                break;
            case CMPXCHG8B:
                compareExchangeWide(i);
                break;
            default:
                bmi(i);
        }
    }

    /** A bit of memory that a register selects may lie outside the operand (SDM vol. 1, "Bit Offset"). */
    private void bit(Insn i) {
        int bits = i.size << 3;
        long selector = core.b(i);
        long mask = 1L << (selector & bits - 1);
        long a;
        long at = 0;
        boolean far = i.ak == Insn.MEM && i.bk != Insn.IMM;
        if (far) {
            long word = Core.extend(selector, i.size) >> (i.size == 8 ? 6 : i.size == 4 ? 5 : 4);
            long offset = core.offset(i) + word * i.size;
            offset = truncate(offset, i.addressSize);
            at = core.linear(i.segment, offset, i.size, i.op != Op.BT);
            a = core.memory.load(at, i.size, i.op == Op.BT ? core.reading : core.writing);
        } else {
            a = i.op == Op.BT ? core.a(i) : core.old(i);
        }
        long r = i.op == Op.BTS ? a | mask : i.op == Op.BTR ? a & ~mask : a ^ mask;
        if (i.op != Op.BT) {
            if (far) {
                core.memory.store(at, i.size, r, core.writing);
            } else {
                core.put(i, r);
            }
        }
        flags.write((a & mask) != 0 ? Flags.CF : 0, Flags.CF);
    }

    /** Of a zero operand the destination is undefined; processors leave it as it is. */
    private void scan(Insn i) {
        long a = core.b(i);
        flags.write(a == 0 ? Flags.ZF : 0, Flags.ZF);
        if (a != 0) {
            core.put(i, i.op == Op.BSF ? Long.numberOfTrailingZeros(a) : 63 - Long.numberOfLeadingZeros(a));
        }
    }

    private void count(Insn i) {
        int bits = i.size << 3;
        long a = core.b(i);
        int n = i.op == Op.TZCNT ? Math.min(bits, Long.numberOfTrailingZeros(a)) : Long.numberOfLeadingZeros(a) - (64 - bits);
        core.put(i, n);
        flags.write((a == 0 ? Flags.CF : 0) | (n == 0 ? Flags.ZF : 0), Flags.CF | Flags.ZF);
    }

    private void addWithFlag(Insn i, int flag) {
        long a = core.a(i);
        long b = core.b(i);
        long in = (flags.value() & flag) != 0 ? 1 : 0;
        long r = a + b + in;
        long carry = (a & b | (a | b) & ~r) >>> (i.size << 3) - 1 & 1;
        core.put(i, r);
        flags.write(carry != 0 ? flag : 0, flag);
    }

    private void compareExchange(Insn i) {
        long old = core.old(i);
        long wanted = core.read(0, i.size);
        long replacement = core.b(i);
        boolean equal = old == wanted;
        // The destination is written either way; of a register only if it was equal, so that a 4-byte one keeps its upper half.
        if (equal) {
            core.put(i, replacement);
        } else {
            if (i.ak == Insn.MEM) {
                core.put(i, old);
            }
            core.write(0, i.size, old);
        }
        flags.subtract(wanted, old, wanted - old, i.size);
    }

    private void compareExchangeWide(Insn i) {
        if (i.ak != Insn.MEM) {
            throw core.ud();
        }
        int half = i.size == 8 ? 8 : 4;
        long at = core.linear(i, 2 * half, true);
        if (half == 8 && (at & 15) != 0) {
            throw core.gp0();
        }
        long high = core.memory.load(at + half, half, core.writing);
        long low = core.memory.load(at, half, core.writing);
        boolean equal = low == core.read(0, half) && high == core.read(2, half);
        core.memory.store(at, half, equal ? core.read(3, half) : low, core.writing);
        core.memory.store(at + half, half, equal ? core.read(1, half) : high, core.writing);
        if (!equal) {
            core.write(0, half, low);
            core.write(2, half, high);
        }
        flags.write(equal ? Flags.ZF : 0, Flags.ZF);
    }

    private void bmi(Insn i) {
        // SDM vol. 2, "AVX Instruction Exception Classification", type 13.
        if (i.vex && (!core.protectedMode || (core.registers.rflags & Flags.VM) != 0)) {
            throw core.ud();
        }
        long b = core.b(i);
        int bits = i.size << 3;
        long r;
        boolean cf;
        switch (i.op) {
            case ANDN:
                r = ~b & core.c(i);
                cf = false;
                break;
            case BLSR:
                r = b & b - 1;
                cf = b == 0;
                break;
            case BLSMSK:
                r = b ^ b - 1;
                cf = b == 0;
                break;
            case BLSI:
                r = b & -b;
                cf = b != 0;
                break;
            case BEXTR:
                long control = core.c(i);
                int start = (int) control & 0xff;
                int length = (int) control >>> 8 & 0xff;
                long from = start < bits ? b >>> start : 0;
                r = length < 64 ? from & (1L << length) - 1 : from;
                cf = false;
                break;
            case BZHI:
                int keep = (int) core.c(i) & 0xff;
                r = keep < bits ? b & (1L << keep) - 1 : b;
                cf = keep >= bits;
                break;
            default:
                withoutFlags(i, b);
                return;
        }
        core.put(i, r);
        flags.set(r, i.size, cf, false, false);
    }

    private void withoutFlags(Insn i, long b) {
        int mask = i.size == 8 ? 63 : 31;
        switch (i.op) {
            case PEXT:
                core.put(i, extract(b, core.c(i)));
                break;
            case PDEP:
                core.put(i, deposit(b, core.c(i)));
                break;
            case MULX:
                long x = core.read(2, i.size);
                long y = core.c(i);
                long high = i.size == 8 ? unsignedHigh(x, y) : x * y >>> 32;
                core.putB(i, x * y);
                core.put(i, high);
                break;
            case CRC32:
                core.put(i, crc((int) core.a(i), core.b(i), i.bw));
                break;
            case RORX:
                int n = (int) i.imm & mask;
                core.put(i, i.size == 8 ? Long.rotateRight(b, n) : Integer.rotateRight((int) b, n));
                break;
            case SHLX:
                core.put(i, b << (core.c(i) & mask));
                break;
            case SHRX:
                core.put(i, b >>> (core.c(i) & mask));
                break;
            case SARX:
                core.put(i, Core.extend(b, i.size) >> (core.c(i) & mask));
                break;
            default:
                throw new IllegalStateException("no " + i.op + " here");
        }
    }

    /** SDM vol. 2, "CRC32": the remainder by 11EDC6F41H, all bits reflected. */
    private static long crc(int before, long data, int bytes) {
        int crc = before;
        for (int n = 0; n < 8 * bytes; n++) {
            int bit = (crc ^ (int) (data >>> n)) & 1;
            crc = crc >>> 1 ^ (bit != 0 ? 0x82f6_3b78 : 0);
        }
        return crc & 0xffff_ffffL;
    }

    static long unsignedHigh(long x, long y) {
        return Math.multiplyHigh(x, y) + (x >> 63 & y) + (y >> 63 & x);
    }

    private static long extract(long source, long mask) {
        long r = 0;
        int n = 0;
        for (long m = mask; m != 0; m &= m - 1) {
            r |= (source >>> Long.numberOfTrailingZeros(m) & 1) << n++;
        }
        return r;
    }

    private static long deposit(long source, long mask) {
        long r = 0;
        int n = 0;
        for (long m = mask; m != 0; m &= m - 1) {
            r |= (source >>> n++ & 1) << Long.numberOfTrailingZeros(m);
        }
        return r;
    }
}
