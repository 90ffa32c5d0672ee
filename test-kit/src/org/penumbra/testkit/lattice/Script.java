package org.penumbra.testkit.lattice;

import java.util.Arrays;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PageFaultError;

/**
 * A few guest operations, and what became of each. Parallel arrays, reused, so that a vector allocates nothing. An operation that
 * faults counts as executed: there is no handler to return from.
 */
final class Script {
    static final int LOAD = 0;
    static final int STORE = 1;
    static final int FETCH = 2;
    static final int INVLPG = 3;
    static final int CR0 = 4;
    static final int CR3 = 5;
    static final int CR4 = 6;
    static final int WRMSR = 7;
    static final int WRPKRU = 8;
    static final String[] NAMES = {"load", "store", "fetch", "INVLPG", "MOV to CR0", "MOV to CR3", "MOV to CR4", "WRMSR", "WRPKRU"};

    /** No exception. */
    static final int NONE = -1;
    /** The operation exited over and over. */
    static final int STUCK = -2;
    /** The operation came to a physical address without memory. */
    static final int NOWHERE = -3;

    int count;
    int[] kind = new int[64];
    /** Linear address, or the number of the MSR. */
    long[] address = new long[64];
    /** To be stored or loaded into the register; after a load, and after a fetch at the physical address reached: the contents. */
    long[] value = new long[64];
    int[] width = new int[64];
    /** Of memory accesses: a kind of {@link Access}. */
    int[] access = new int[64];
    /** EFLAGS.AC. */
    boolean[] ac = new boolean[64];

    /** {@link #NONE}, the vector of the exception, {@link #STUCK} or {@link #NOWHERE}. */
    int[] exception = new int[64];
    int[] errorCode = new int[64];
    /** Of a page fault. */
    long[] cr2 = new long[64];

    void clear() {
        count = 0;
    }

    /** Appends a supervisor access to the window; answers its index. */
    int window(int operation, long gva, int bytes, long datum) {
        return access(gva, operation == STORE ? Access.WRITE : Access.READ, false, bytes, datum);
    }

    /** Appends an access; answers its index. */
    int access(long gva, int accessKind, boolean alignmentCheck, int bytes, long datum) {
        int i = add(Access.isWrite(accessKind) ? STORE : Access.isFetch(accessKind) ? FETCH : LOAD, gva, datum);
        access[i] = accessKind;
        ac[i] = alignmentCheck;
        width[i] = bytes;
        return i;
    }

    /** Appends a privileged operation; answers its index. */
    int add(int operation, long operand, long datum) {
        if (count == kind.length) {
            grow();
        }
        kind[count] = operation;
        address[count] = operand;
        value[count] = datum;
        access[count] = 0;
        ac[count] = false;
        width[count] = 8;
        exception[count] = NONE;
        return count++;
    }

    private void grow() {
        int size = 2 * count;
        kind = Arrays.copyOf(kind, size);
        address = Arrays.copyOf(address, size);
        value = Arrays.copyOf(value, size);
        width = Arrays.copyOf(width, size);
        access = Arrays.copyOf(access, size);
        ac = Arrays.copyOf(ac, size);
        exception = Arrays.copyOf(exception, size);
        errorCode = Arrays.copyOf(errorCode, size);
        cr2 = Arrays.copyOf(cr2, size);
    }

    /** "#PF with 0x5 at 0x1000" …: what became of operation {@code i}. */
    String outcome(int i) {
        return switch (exception[i]) {
            case NONE -> "no fault";
            case STUCK -> "no progress";
            case NOWHERE -> "came to a physical address without memory";
            case 14 -> String.format("#PF 0x%x (%s), CR2 0x%x", errorCode[i], PageFaultError.describe(errorCode[i]), cr2[i]);
            case 13 -> String.format("#GP(%d)", errorCode[i]);
            default -> "exception " + exception[i];
        };
    }
}
