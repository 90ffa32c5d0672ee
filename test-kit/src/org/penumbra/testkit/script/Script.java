package org.penumbra.testkit.script;

import java.util.Arrays;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PageFaultError;
import org.penumbra.api.vmx.ExitReason;

/**
 * A few guest operations, and what became of each. Parallel arrays, reused, so that planning allocates nothing. An operation that
 * faults counts as executed: there is no handler to return from.
 */
public final class Script {
    public static final int LOAD = 0;
    public static final int STORE = 1;
    public static final int FETCH = 2;
    public static final int INVLPG = 3;
    public static final int CR0 = 4;
    public static final int CR3 = 5;
    public static final int CR4 = 6;
    public static final int WRMSR = 7;
    public static final int WRPKRU = 8;
    /** Of type {@link #function}, with the PCID in {@link #value}. */
    public static final int INVPCID = 9;
    /** A read-modify-write by {@link #function}, a {@link org.penumbra.api.cpu.UpdateFunction}, with the operand in {@link #value}. */
    public static final int UPDATE = 10;
    /**
     * A VMX instruction: the number of its exit reason in {@link #function}, a field or type in {@link #width}, the operand in {@link #value},
     * where VMREAD leaves its result; CF and ZF are in {@link #errorCode} then.
     */
    public static final int VMX = 11;
    public static final int VMCALL = 12;
    /** The software keeps what is in RAX, in {@link #value}; no instruction of any interest. */
    public static final int KEEP_RAX = 13;
    /** An instruction of SVM: the number of its exit reason in {@link #function}, RAX in {@link #value} and RCX in {@link #address}. */
    public static final int SVM = 14;
    public static final String[] NAMES = {"load", "store", "fetch", "INVLPG", "MOV to CR0", "MOV to CR3", "MOV to CR4", "WRMSR", "WRPKRU", "INVPCID", "UPDATE",
        "VMX instruction", "VMCALL", "MOV from RAX", "SVM instruction"};

    /** No exception. */
    public static final int NONE = -1;
    /** The operation exited over and over. */
    public static final int STUCK = -2;
    /** The operation came to a physical address without memory. */
    public static final int NOWHERE = -3;

    public int count;
    public int[] kind = new int[64];
    /** Linear address, or the number of the MSR. */
    public long[] address = new long[64];
    /** To be stored or loaded into the register; after a load or update, and after a fetch at the physical address reached: the contents. */
    public long[] value = new long[64];
    public int[] width = new int[64];
    /** Of UPDATE, INVPCID and VMX instructions. */
    public int[] function = new int[64];
    /** Of memory accesses: a kind of {@link Access}. */
    public int[] access = new int[64];
    /** EFLAGS.AC. */
    public boolean[] ac = new boolean[64];

    /** {@link #NONE}, the vector of the exception, {@link #STUCK} or {@link #NOWHERE}. */
    public int[] exception = new int[64];
    public int[] errorCode = new int[64];
    /** Of a page fault. */
    public long[] cr2 = new long[64];

    /** Forgets all operations. */
    public void clear() {
        count = 0;
    }

    /** Appends a supervisor access to the window; answers its index. */
    public int window(int operation, long gva, int bytes, long datum) {
        return access(gva, operation == STORE ? Access.WRITE : Access.READ, false, bytes, datum);
    }

    /** Appends an access; answers its index. */
    public int access(long gva, int accessKind, boolean alignmentCheck, int bytes, long datum) {
        int i = add(Access.isWrite(accessKind) ? STORE : Access.isFetch(accessKind) ? FETCH : LOAD, gva, datum);
        access[i] = accessKind;
        ac[i] = alignmentCheck;
        width[i] = bytes;
        return i;
    }

    /** Appends a supervisor read-modify-write; answers its index. */
    public int update(long gva, int bytes, int updateFunction, long operand) {
        int i = add(UPDATE, gva, operand);
        access[i] = Access.WRITE;
        width[i] = bytes;
        function[i] = updateFunction;
        return i;
    }

    /** Appends an INVPCID; answers its index. */
    public int invpcid(int type, int pcid, long gva) {
        int i = add(INVPCID, gva, pcid);
        function[i] = type;
        return i;
    }

    /** Appends a VMX instruction, of INVVPID with {@code gva} in its descriptor; answers its index. */
    public int vmx(ExitReason instruction, int fieldOrType, long operand, long gva) {
        int i = add(VMX, gva, operand);
        function[i] = instruction.number();
        width[i] = fieldOrType;
        return i;
    }

    /** Appends an instruction of SVM; answers its index. */
    public int svm(ExitReason instruction, long rax, long rcx) {
        int i = add(SVM, rcx, rax);
        function[i] = instruction.number();
        return i;
    }

    /** Appends a privileged operation; answers its index. */
    public int add(int operation, long operand, long datum) {
        if (count == kind.length) {
            grow();
        }
        kind[count] = operation;
        address[count] = operand;
        value[count] = datum;
        access[count] = 0;
        ac[count] = false;
        width[count] = 8;
        function[count] = 0;
        exception[count] = NONE;
        errorCode[count] = 0;
        return count++;
    }

    private void grow() {
        int size = 2 * count;
        kind = Arrays.copyOf(kind, size);
        address = Arrays.copyOf(address, size);
        value = Arrays.copyOf(value, size);
        width = Arrays.copyOf(width, size);
        function = Arrays.copyOf(function, size);
        access = Arrays.copyOf(access, size);
        ac = Arrays.copyOf(ac, size);
        exception = Arrays.copyOf(exception, size);
        errorCode = Arrays.copyOf(errorCode, size);
        cr2 = Arrays.copyOf(cr2, size);
    }

    /** "#PF with 0x5 at 0x1000" …: what became of operation {@code i}. */
    public String outcome(int i) {
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
