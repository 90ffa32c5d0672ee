package org.penumbra.api.memory;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Arrays;
import java.util.function.LongConsumer;

/**
 * Sparse physical memory in frames of 4 KiB, little-endian. A frame that was never written costs nothing and reads as zero.
 *
 * <p>Final data layout, not a service: engines and walkers reach a frame's {@code long[]} directly. Aligned 8-byte accesses are
 * single-copy atomic with acquire and release order, as x86-TSO needs for tables; narrower stores are a compare-and-set on the
 * containing 8 bytes, so that concurrent neighbours are kept. An access that crosses an 8-byte boundary is two accesses, as
 * the SDM allows (vol. 3, "Guaranteed Atomic Operations"). Accesses may come from any thread.
 *
 * <p>A frame's array has one word more than the frame, the first: its mark, by which whoever has kept the array knows that it is the
 * right one, and still in use. So most accesses need two dependent reads, and not the three of a walk through the directory of chunks;
 * and a walker that keeps the frames of its tables ({@link #frame}) needs not even wait for the address.
 *
 * <pre>
 *  word 0       hpa of the frame's first byte; -1 if the array is of no frame, or not any more
 *  words 1-512  its contents
 * </pre>
 */
public final class PhysicalMemory {
    /** Bytes of a frame. */
    public static final int FRAME_BYTES = 4096;

    private static final int CHUNK_BITS = 10;
    private static final int CHUNK = 1 << CHUNK_BITS;
    private static final int WORDS = FRAME_BYTES / 8;
    private static final int RECENT = 4096;
    private static final long BASE = -FRAME_BYTES;
    private static final long UNUSED = -1;
    private static final VarHandle WORD = MethodHandles.arrayElementVarHandle(long[].class);
    private static final VarHandle FRAME = MethodHandles.arrayElementVarHandle(long[][].class);
    private static final VarHandle CHUNKS = MethodHandles.arrayElementVarHandle(long[][][].class);

    private final long bytes;
    private final long[][][] chunks;
    /** By the low bits of the pfn: a frame that was found not long ago. Written by any thread at any time. */
    private final long[][] recent = new long[RECENT][];
    /** Stands for each frame that was never written: reads as zero, and its mark fits no address. */
    private final long[] nothing = new long[WORDS + 1];

    /**
     * Empty memory of {@code bytes} bytes.
     *
     * @throws IllegalArgumentException unless {@code bytes} is a positive multiple of 4096 and at most 16 TiB
     */
    public PhysicalMemory(long bytes) {
        if (bytes <= 0 || bytes % FRAME_BYTES != 0 || bytes > 1L << 44) {
            throw new IllegalArgumentException("physical memory of " + bytes + " bytes: a positive multiple of 4096 up to 16 TiB is needed");
        }
        this.bytes = bytes;
        this.chunks = new long[(int) ((bytes / FRAME_BYTES + CHUNK - 1) >>> CHUNK_BITS)][][];
        nothing[0] = UNUSED;
        Arrays.fill(recent, nothing);
    }

    /** Size in bytes. */
    public long bytes() {
        return bytes;
    }

    /** Reads the aligned 8 bytes that contain {@code hpa}. */
    public long load64(long hpa) {
        return word(frame(hpa), hpa);
    }

    /**
     * The array of the frame that contains {@code hpa}, for {@link #word}. It may be kept, and {@link #holds} asked before each use: the
     * frame may come into being later, or be given back.
     */
    public long[] frame(long hpa) {
        long[] f = recent[(int) (hpa >>> 12) & RECENT - 1];
        return holds(f, hpa) ? f : find(hpa);
    }

    /** True if {@code frame} is the array of the frame that contains {@code hpa}. */
    public static boolean holds(long[] frame, long hpa) {
        return frame[0] == (hpa & BASE);
    }

    /** 0 if {@code frame} is the array of the frame that contains {@code hpa}: {@link #holds} for those who ask of many at once. */
    public static long mark(long[] frame, long hpa) {
        return frame[0] ^ hpa & BASE;
    }

    /** Reads the aligned 8 bytes of {@code frame} that bits 11:3 of {@code hpa} select; as atomic and ordered as {@link #load64}. */
    public static long word(long[] frame, long hpa) {
        return (long) WORD.getAcquire(frame, 1 + ((int) (hpa >>> 3) & WORDS - 1));
    }

    /** Writes the aligned 8 bytes that contain {@code hpa}. */
    public void store64(long hpa, long value) {
        WORD.setRelease(materialise(hpa), 1 + ((int) (hpa >>> 3) & WORDS - 1), value);
    }

    /** Locked compare-and-set of the aligned 8 bytes that contain {@code hpa}; true if they held {@code expected}. */
    public boolean compareAndSet64(long hpa, long expected, long value) {
        return WORD.compareAndSet(materialise(hpa), 1 + ((int) (hpa >>> 3) & WORDS - 1), expected, value);
    }

    /**
     * Locked compare-and-set of {@code width} (1 to 8) bytes that lie within 8 aligned ones: if they hold the low bytes of
     * {@code expected}, those of {@code value} take their place, and true is answered. Stores to the bytes around do not make it fail.
     */
    public boolean compareAndSet(long hpa, int width, long expected, long value) {
        int shift = (int) (hpa & 7) << 3;
        long mask = -1L >>> 64 - 8 * width << shift;
        long around;
        do {
            around = load64(hpa);
            if ((around & mask) != (expected << shift & mask)) {
                return false;
            }
        } while (!compareAndSet64(hpa, around, around & ~mask | value << shift & mask));
        return true;
    }

    /** Reads {@code width} (1 to 8) bytes at {@code hpa}, zero-extended; they must lie within one frame. */
    public long load(long hpa, int width) {
        if (width == 8 && (hpa & 7) == 0) {
            return load64(hpa);
        }
        int shift = (int) (hpa & 7) << 3;
        long low = load64(hpa) >>> shift;
        int bits = width << 3;
        if (shift + bits > 64) {
            low |= load64(hpa + 8) << (64 - shift);
        }
        return bits == 64 ? low : low & (1L << bits) - 1;
    }

    /** Writes the low {@code width} (1 to 8) bytes of {@code value} at {@code hpa}; they must lie within one frame. */
    public void store(long hpa, int width, long value) {
        int shift = (int) (hpa & 7) << 3;
        int bits = width << 3;
        if (bits == 64 && shift == 0) {
            store64(hpa, value);
            return;
        }
        long mask = bits == 64 ? -1 : (1L << bits) - 1;
        merge(hpa, mask << shift, (value & mask) << shift);
        if (shift + bits > 64) {
            merge(hpa + 8, mask >>> (64 - shift), (value & mask) >>> (64 - shift));
        }
    }

    /** Fills the frame at {@code hpa} with zeroes and gives its storage back. */
    public void clearFrame(long hpa) {
        long[][] chunk = chunks[index(hpa)];
        int i = (int) (hpa >>> 12) & CHUNK - 1;
        if (chunk != null && chunk[i] != null) {
            chunk[i][0] = UNUSED;
            chunk[i] = null;
        }
    }

    /** Tells the address of every frame that holds storage now, in ascending order. */
    public void resident(LongConsumer hpas) {
        for (int c = 0; c < chunks.length; c++) {
            for (int i = 0; chunks[c] != null && i < CHUNK; i++) {
                if (chunks[c][i] != null) {
                    hpas.accept(((long) c << CHUNK_BITS | i) << 12);
                }
            }
        }
    }

    /** Frames that hold storage now. */
    public long residentFrames() {
        long[] n = {0};
        resident(hpa -> n[0]++);
        return n[0];
    }

    private void merge(long hpa, long mask, long bits) {
        long[] f = materialise(hpa);
        int i = 1 + ((int) (hpa >>> 3) & WORDS - 1);
        long old;
        do {
            old = (long) WORD.getAcquire(f, i);
        } while (!WORD.compareAndSet(f, i, old, old & ~mask | bits));
    }

    private int index(long hpa) {
        if (hpa < 0 || hpa >= bytes) {
            throw new PhysicalAddressException(hpa, bytes);
        }
        return (int) (hpa >>> 12 + CHUNK_BITS);
    }

    private long[] find(long hpa) {
        long[][] chunk = chunks[index(hpa)];
        long[] f = chunk == null ? null : chunk[(int) (hpa >>> 12) & CHUNK - 1];
        if (f == null) {
            return nothing;
        }
        recent[(int) (hpa >>> 12) & RECENT - 1] = f;
        return f;
    }

    private long[] materialise(long hpa) {
        long[] f = frame(hpa);
        return f != nothing ? f : create(hpa);
    }

    private long[] create(long hpa) {
        int c = index(hpa);
        if (CHUNKS.getAcquire(chunks, c) == null) {
            CHUNKS.compareAndSet(chunks, c, null, new long[CHUNK][]);
        }
        long[][] chunk = (long[][]) CHUNKS.getAcquire(chunks, c);
        int i = (int) (hpa >>> 12) & CHUNK - 1;
        long[] empty = new long[WORDS + 1];
        empty[0] = hpa & BASE;
        FRAME.compareAndSet(chunk, i, null, empty);
        return (long[]) FRAME.getAcquire(chunk, i);
    }
}
