package org.penumbra.experiments.boot;

import java.util.Map;
import java.util.TreeMap;
import org.penumbra.api.machine.GuestBoot;

/** Bytes by guest-physical address, collected in words for a {@link GuestBoot.Loader}. */
final class BootImage {
    private static final int PAGE = 4096;

    private final Map<Long, byte[]> pages = new TreeMap<>();

    void put(long at, byte[] source, int from, int count) {
        for (int done = 0; done < count; ) {
            byte[] page = pages.computeIfAbsent(at + done & -PAGE, k -> new byte[PAGE]);
            int offset = (int) (at + done & PAGE - 1);
            int part = Math.min(count - done, PAGE - offset);
            System.arraycopy(source, from + done, page, offset, part);
            done += part;
        }
    }

    /** Writes the low {@code width} bytes of {@code value}. */
    void put(long at, int width, long value) {
        byte[] bytes = new byte[width];
        for (int i = 0; i < width; i++) {
            bytes[i] = (byte) (value >>> 8 * i);
        }
        put(at, bytes, 0, width);
    }

    void store(GuestBoot.Loader loader) {
        pages.forEach((at, page) -> {
            for (int i = 0; i < PAGE; i += 8) {
                long word = 0;
                for (int k = 7; k >= 0; k--) {
                    word = word << 8 | page[i + k] & 0xff;
                }
                if (word != 0) {
                    loader.store64(at + i, word);
                }
            }
        });
    }
}
