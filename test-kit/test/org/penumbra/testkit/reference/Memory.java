package org.penumbra.testkit.reference;

import java.util.HashMap;
import java.util.Map;
import java.util.function.LongUnaryOperator;

/** Sparse memory of 8-byte words, 0 where nothing was put. */
final class Memory implements LongUnaryOperator {
    private final Map<Long, Long> words = new HashMap<>();

    /** Puts 8 bytes at {@code at}. */
    void put(long at, long value) {
        words.put(at, value);
    }

    /** Puts 4 bytes at {@code at}. */
    void put4(long at, long value) {
        int shift = (at & 4) == 0 ? 0 : 32;
        long word = applyAsLong(at & ~7L);
        put(at & ~7L, word & ~(0xffff_ffffL << shift) | value << shift);
    }

    @Override
    public long applyAsLong(long at) {
        if ((at & 7) != 0) {
            throw new IllegalArgumentException(String.format("the walker read at 0x%x", at));
        }
        return words.getOrDefault(at, 0L);
    }
}
