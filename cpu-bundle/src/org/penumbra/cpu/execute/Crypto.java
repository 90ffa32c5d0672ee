package org.penumbra.cpu.execute;

import static org.penumbra.cpu.execute.VectorUnit.get;
import static org.penumbra.cpu.execute.VectorUnit.set;

import org.penumbra.cpu.decode.Insn;
import org.penumbra.cpu.table.Op;

/** AES rounds (FIPS 197; SDM vol. 1, "Programming with Intel AES-NI and PCLMULQDQ") and carry-less multiplication. */
final class Crypto {
    private static final int[] SBOX = new int[256];
    private static final int[] INVERSE = new int[256];

    static {
        // FIPS 197, "SubBytes": the inverse in GF(2^8), and an affine transformation of its bits.
        for (int x = 0; x < 256; x++) {
            int inverse = 0;
            for (int y = 1; y < 256 && x != 0 && inverse == 0; y++) {
                inverse = times(x, y) == 1 ? y : 0;
            }
            int s = 0x63;
            for (int n = 0; n < 5; n++) {
                s ^= (inverse << n | inverse >>> 8 - n) & 0xff;
            }
            SBOX[x] = s;
            INVERSE[s] = x;
        }
    }

    private Crypto() {}

    private static int times(int x, int y) {
        int product = 0;
        for (int n = 0; n < 8; n++) {
            product ^= (y >>> n & 1) != 0 ? x : 0;
            x = x << 1 ^ (x >= 0x80 ? 0x11b : 0);
        }
        return product;
    }

    static void execute(Insn i, long[] h, long[] b, long[] r) {
        switch (i.op) {
            case PCLMULQDQ:
                multiply(h[(int) i.imm & 1], b[(int) i.imm >> 4 & 1], r);
                return;
            case AESKEYGEN:
                for (int k = 0; k < 4; k++) {
                    long word = substitute(get(b, 0, k | 1, 4));
                    set(r, 0, k, 4, (k & 1) == 0 ? word : (word >>> 8 | word << 24) ^ i.imm);
                }
                return;
            case AESIMC:
                mix(b, r, 14, 11, 13, 9);
                return;
            default:
        }
        boolean decrypts = i.op == Op.AESDEC || i.op == Op.AESDECLAST;
        long low = 0;
        long high = 0;
        for (int k = 0; k < 16; k++) {
            // ShiftRows: row n of the state moves by n columns.
            int from = k + (decrypts ? -4 : 4) * (k & 3) & 15;
            long s = (decrypts ? INVERSE : SBOX)[(int) get(h, 0, from, 1)];
            low |= k < 8 ? s << 8 * k : 0;
            high |= k < 8 ? 0 : s << 8 * (k - 8);
        }
        h[0] = low;
        h[1] = high;
        if (i.op == Op.AESENC) {
            mix(h, h, 2, 3, 1, 1);
        } else if (i.op == Op.AESDEC) {
            mix(h, h, 14, 11, 13, 9);
        }
        r[0] = h[0] ^ b[0];
        r[1] = h[1] ^ b[1];
    }

    private static long substitute(long word) {
        long s = 0;
        for (int n = 0; n < 32; n += 8) {
            s |= (long) SBOX[(int) (word >>> n) & 0xff] << n;
        }
        return s;
    }

    /** Each column times the polynomial with these coefficients. */
    private static void mix(long[] from, long[] to, int c0, int c1, int c2, int c3) {
        for (int column = 0; column < 4; column++) {
            long word = get(from, 0, column, 4);
            long mixed = 0;
            for (int n = 0; n < 4; n++) {
                int sum = times(byteOf(word, n), c0) ^ times(byteOf(word, n + 1), c1) ^ times(byteOf(word, n + 2), c2) ^ times(byteOf(word, n + 3), c3);
                mixed |= (long) sum << 8 * n;
            }
            set(to, 0, column, 4, mixed);
        }
    }

    private static int byteOf(long word, int n) {
        return (int) (word >>> 8 * (n & 3)) & 0xff;
    }

    private static void multiply(long x, long y, long[] r) {
        long low = 0;
        long high = 0;
        for (int n = 0; n < 64; n++) {
            if ((y >>> n & 1) != 0) {
                low ^= x << n;
                high ^= n == 0 ? 0 : x >>> 64 - n;
            }
        }
        r[0] = low;
        r[1] = high;
    }
}
