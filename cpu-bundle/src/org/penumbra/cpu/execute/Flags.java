package org.penumbra.cpu.execute;

import org.penumbra.api.cpu.RegisterFile;

/**
 * RFLAGS, of which CF, PF, AF, ZF, SF, OF are kept as what they follow from: the last result and the carries out of each of its bits
 * (borrows, for a subtraction). {@link #settle} puts them into the register.
 */
final class Flags {
    static final int CF = 1;
    static final int PF = 1 << 2;
    static final int AF = 1 << 4;
    static final int ZF = 1 << 6;
    static final int SF = 1 << 7;
    static final int TF = 1 << 8;
    static final int IF = 1 << 9;
    static final int DF = 1 << 10;
    static final int OF = 1 << 11;
    static final int IOPL = 3 << 12;
    static final int NT = 1 << 14;
    static final int RF = 1 << 16;
    static final int VM = 1 << 17;
    static final int AC = 1 << 18;
    static final int VIF = 1 << 19;
    static final int VIP = 1 << 20;
    static final int ID = 1 << 21;
    static final int STATUS = CF | PF | AF | ZF | SF | OF;

    private final RegisterFile registers;
    /** Sign-extended; has a meaning if {@link #bits} is not 0. */
    private long result;
    private long carries;
    /** Width of the result, 0 if the register is right. */
    private int bits;

    Flags(RegisterFile registers) {
        this.registers = registers;
    }

    private static long extend(long value, int bits) {
        return value << 64 - bits >> 64 - bits;
    }

    void add(long a, long b, long sum, int size) {
        bits = size << 3;
        result = extend(sum, bits);
        carries = a & b | (a | b) & ~sum;
    }

    void subtract(long a, long b, long difference, int size) {
        bits = size << 3;
        result = extend(difference, bits);
        carries = ~a & b | (~a | b) & difference;
    }

    void logic(long value, int size) {
        bits = size << 3;
        result = extend(value, bits);
        carries = 0;
    }

    /** Sets all six; PF, ZF and SF by {@code value}. */
    void set(long value, int size, boolean cf, boolean of, boolean af) {
        bits = size << 3;
        result = extend(value, bits);
        carries = (cf ? 1L << bits - 1 : 0) | (cf != of ? 1L << bits - 2 : 0) | (af ? 8 : 0);
    }

    /** After an increment or a decrement with the result {@code r}: all but CF, which stays as it is. */
    void step(long r, int size, boolean up) {
        long least = 1L << (size << 3) - 1;
        boolean of = Core.truncate(r, size) == (up ? least : least - 1);
        set(r, size, cf(), of, (r & 15) == (up ? 0 : 15));
    }

    boolean cf() {
        return bits != 0 ? (carries >>> bits - 1 & 1) != 0 : (registers.rflags & CF) != 0;
    }

    boolean zf() {
        return bits != 0 ? result == 0 : (registers.rflags & ZF) != 0;
    }

    boolean sf() {
        return bits != 0 ? result < 0 : (registers.rflags & SF) != 0;
    }

    boolean of() {
        return bits != 0 ? ((carries >>> bits - 1 ^ carries >>> bits - 2) & 1) != 0 : (registers.rflags & OF) != 0;
    }

    boolean af() {
        return bits != 0 ? (carries & 8) != 0 : (registers.rflags & AF) != 0;
    }

    boolean pf() {
        return bits != 0 ? (Integer.bitCount((int) result & 0xff) & 1) == 0 : (registers.rflags & PF) != 0;
    }

    /** Does condition {@code code} (SDM vol. 1, appendix "EFLAGS Condition Codes") hold? */
    boolean condition(int code) {
        boolean met;
        switch (code >> 1) {
            case 0:
                met = of();
                break;
            case 1:
                met = cf();
                break;
            case 2:
                met = zf();
                break;
            case 3:
                met = cf() || zf();
                break;
            case 4:
                met = sf();
                break;
            case 5:
                met = pf();
                break;
            case 6:
                met = sf() != of();
                break;
            default:
                met = zf() || sf() != of();
        }
        return met != ((code & 1) != 0);
    }

    /** Brings the register up to date. */
    void settle() {
        if (bits != 0) {
            long f = (cf() ? CF : 0) | (pf() ? PF : 0) | (af() ? AF : 0) | (zf() ? ZF : 0) | (sf() ? SF : 0) | (of() ? OF : 0);
            registers.rflags = registers.rflags & ~STATUS | f;
            bits = 0;
        }
    }

    /** RFLAGS. */
    long value() {
        settle();
        return registers.rflags;
    }

    /** Sets the bits in {@code mask} as in {@code value}. */
    void write(long value, long mask) {
        settle();
        registers.rflags = registers.rflags & ~mask | value & mask | 2;
    }
}
