package org.penumbra.testkit.lattice;

import java.util.function.LongUnaryOperator;

/**
 * What guest memory should hold where a walk or an access may come to: the entries of the chain, and one word in each page. Everything
 * else holds 0.
 */
final class KnownMemory implements LongUnaryOperator {
    private final Layout layout;
    private final long[] words;
    /** The entries by level, from 1. */
    final long[] entries;
    private final long[] entryAt;
    /** The contents of the words, in the order of {@link Layout#words}. */
    final long[] contents;

    KnownMemory(Layout layout) {
        this.layout = layout;
        words = layout.words();
        contents = new long[words.length];
        entries = new long[layout.levels + 1];
        entryAt = new long[layout.levels + 1];
        for (int l = 1; l <= layout.levels; l++) {
            entryAt[l] = layout.entry(l);
        }
        for (int i = 0; i < words.length; i++) {
            contents[i] = signature(words[i]);
        }
    }

    /** What the word at {@code gpa} holds before the first store: something of its own. */
    static long signature(long gpa) {
        return (gpa >>> 12) * 0x10_0001 | 0x4000_0000L;
    }

    /** The number of the word at {@code gpa}, −1 if that is none whose contents are known. */
    int word(long gpa) {
        for (int i = 0; i < words.length; i++) {
            if (words[i] == gpa) {
                return i;
            }
        }
        return -1;
    }

    /** The 8 bytes at {@code gpa}, which is a multiple of the size of an entry. */
    @Override
    public long applyAsLong(long gpa) {
        if (layout.entryBytes == 8) {
            return entry(gpa);
        }
        return entry(gpa) | entry(gpa + 4) << 32;
    }

    private long entry(long gpa) {
        for (int l = 1; l < entryAt.length; l++) {
            if (entryAt[l] == gpa) {
                return entries[l];
            }
        }
        int i = word(gpa);
        return i < 0 ? 0 : contents[i];
    }
}
