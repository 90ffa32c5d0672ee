package org.penumbra.experiments.trace;

/**
 * Some records of a trace, as parallel arrays: record {@code i} is {@code kind[i]}, {@code address[i]}, {@code size[i]}, for
 * {@code i} below {@link #count}.
 *
 * <p>A data-layout class: the fields are public so that a loop over millions of records calls nothing and allocates nothing.
 * A batch is made once and filled again and again; what stands at and above {@code count} is left over from before and means
 * nothing.
 */
public final class TraceBatch {

    /** Kind of a record: an instruction was fetched. */
    public static final byte FETCH = 0;
    /** Kind of a record: memory was read. */
    public static final byte LOAD = 1;
    /** Kind of a record: memory was written. */
    public static final byte STORE = 2;
    /** Kind of a record: one instruction read and then wrote the same place. */
    public static final byte MODIFY = 3;

    /**
     * Every address, and the last byte of every access, is below this: the lower half of the canonical 48-bit address space.
     */
    public static final long ADDRESS_END = 1L << 47;
    /** The largest size of one access, in bytes: that of a processor-state save area. */
    public static final int MAX_SIZE = 4096;

    /** {@link #FETCH}, {@link #LOAD}, {@link #STORE} or {@link #MODIFY}. */
    public final byte[] kind;
    /**
     * The guest virtual address of the first byte. The access may cross a page boundary: whoever translates it splits it.
     */
    public final long[] address;
    /** The number of bytes, 1 to {@link #MAX_SIZE}. */
    public final int[] size;
    /** How many records the batch holds, 0 to {@link #capacity()}. */
    public int count;

    /**
     * Makes an empty batch. A few thousand records are enough to make the cost of a call disappear and still stay in the
     * host's cache.
     *
     * @param capacity how many records fit, at least 1
     * @throws IllegalArgumentException if the capacity is below 1
     */
    public TraceBatch(int capacity) {
        if (capacity < 1) {
            throw new IllegalArgumentException("a batch needs room for at least one record, not " + capacity);
        }
        kind = new byte[capacity];
        address = new long[capacity];
        size = new int[capacity];
    }

    /** How many records fit. */
    public int capacity() {
        return kind.length;
    }

    /** Forgets all records. */
    public void clear() {
        count = 0;
    }

    /**
     * Appends a record, without looking at its values ({@link TraceWriter} does).
     *
     * @throws ArrayIndexOutOfBoundsException if the batch is full
     */
    public void add(byte kind, long address, int size) {
        this.kind[count] = kind;
        this.address[count] = address;
        this.size[count] = size;
        count++;
    }
}
