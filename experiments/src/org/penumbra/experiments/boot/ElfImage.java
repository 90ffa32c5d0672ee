package org.penumbra.experiments.boot;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/** An ELF executable for x86 of 32 or 64 bits, as far as a boot loader looks at it. */
final class ElfImage {
    private static final int EM_386 = 3;
    private static final int EM_X86_64 = 62;
    private static final int PT_LOAD = 1;

    /**
     * What is to be loaded.
     *
     * @param physical where
     * @param linear where it is linked at
     * @param offset in the file, of {@code stored} bytes; up to {@code bytes} follow zeroes
     */
    record Segment(long physical, long linear, long offset, long stored, long bytes) {}

    private final List<Segment> segments = new ArrayList<>();
    private final long entry;

    /** @throws IllegalArgumentException with a line for the user if {@code file} is none */
    ElfImage(byte[] file) {
        ByteBuffer b = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
        if (file.length < 52 || b.getInt(0) != 0x464c_457f || file[5] != 1 || file[4] != 1 && file[4] != 2) {
            throw new IllegalArgumentException("is no little-endian ELF file");
        }
        boolean wide = file[4] == 2;
        int machine = b.getShort(18);
        if (machine != EM_386 && machine != EM_X86_64) {
            throw new IllegalArgumentException("is an ELF file for machine " + machine + ", not for x86");
        }
        try {
            entry = wide ? b.getLong(24) : b.getInt(24) & 0xffff_ffffL;
            long table = wide ? b.getLong(32) : b.getInt(28) & 0xffff_ffffL;
            int size = b.getShort(wide ? 54 : 42) & 0xffff;
            int count = b.getShort(wide ? 56 : 44) & 0xffff;
            for (int i = 0; i < count; i++) {
                int at = Math.toIntExact(table + (long) i * size);
                if (b.getInt(at) == PT_LOAD) {
                    segments.add(wide
                            ? segment(b.getLong(at + 24), b.getLong(at + 16), b.getLong(at + 8), b.getLong(at + 32), b.getLong(at + 40), file.length)
                            : segment(b.getInt(at + 12), b.getInt(at + 8), b.getInt(at + 4), b.getInt(at + 16), b.getInt(at + 20), file.length));
                }
            }
        } catch (IndexOutOfBoundsException | ArithmeticException e) {
            throw new IllegalArgumentException("is an ELF file that ends within its program headers", e);
        }
        if (segments.isEmpty()) {
            throw new IllegalArgumentException("is an ELF file without segments to load");
        }
    }

    private static Segment segment(int physical, int linear, int offset, int stored, int bytes, int length) {
        return segment(physical & 0xffff_ffffL, linear & 0xffff_ffffL, offset & 0xffff_ffffL, stored & 0xffff_ffffL, bytes & 0xffff_ffffL, length);
    }

    private static Segment segment(long physical, long linear, long offset, long stored, long bytes, int length) {
        if (offset < 0 || stored < 0 || stored > bytes || offset + stored > length) {
            throw new IllegalArgumentException(String.format("is an ELF file whose segment for 0x%x lies outside the file", physical));
        }
        return new Segment(physical, linear, offset, stored, bytes);
    }

    List<Segment> segments() {
        return List.copyOf(segments);
    }

    /** Physical address of the entry point. */
    long entry() {
        for (Segment s : segments) {
            if (entry >= s.linear && entry < s.linear + s.bytes) {
                return entry - s.linear + s.physical;
            }
        }
        return entry;
    }
}
