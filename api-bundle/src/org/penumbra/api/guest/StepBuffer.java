package org.penumbra.api.guest;

import java.util.Arrays;
import org.penumbra.api.cpu.UpdateFunction;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.api.vmx.VmcsField;

/**
 * A batch of guest steps, as parallel arrays that grow as needed. Each step is one guest operation. <em>acc</em> is the
 * accumulator, the guest's RAX; an address is a gva.
 *
 * <pre>
 *  kind          address   width      value             effect
 *  FETCH         gva       1 … 4096                     instruction fetch, no value
 *  LOAD          gva       1 … 4096                     acc = memory, zero-extended; its low 8 bytes if it is wider
 *  STORE         gva       1 … 4096   datum             memory = datum; datum in each aligned 8 bytes if it is wider
 *  STORE_ACC     gva       1 … 4096                     the same with acc
 *  UPDATE        gva       1 … 8      operand           acc = memory; memory = function(memory, operand); locked if aligned
 *  AND_ACC                            mask              acc = acc AND mask
 *  OR_ACC                             mask              acc = acc OR mask
 *  INVLPG        gva
 *  MOV_CR0/3/4                        new value
 *  ENTER_KERNEL                                         CPL = 0, RFLAGS.IF = 0: stands for SYSCALL
 *  ENTER_USER                                           CPL = 3, RFLAGS.IF = 1: stands for SYSRET or IRET
 *  HLT
 *  STI_HLT                                              RFLAGS.IF = 1 and HLT, with no interrupt between the two
 *  CLI                                                  RFLAGS.IF = 0
 *  OUT           port      1, 2, 4    datum
 *  MOV_CR3_SLOT  gva                  new value         CR3 = memory, or the new value if that is 0; acc stays as it is
 *  VMCALL                  number     RBX               address: RCX; acc = number, and then the result
 *  WRMSR         MSR                  new value
 *  VMX           datum 2   field      datum             an instruction of a hypervisor, function: its exit reason; VMREAD: acc = the field
 *  MOV_CR2                            new value
 *  SVM           RCX                  RAX               an instruction of a hypervisor, function: its exit reason; the operands in its registers
 * </pre>
 *
 * <p>Programs append by the methods, or by {@link #reserve} and the arrays where millions of steps come from arrays already. Engines
 * read the arrays, of which {@link #count} elements count. Not thread-safe. Appending allocates only when the arrays grow.
 */
public final class StepBuffer {
    public static final byte FETCH = 0;
    public static final byte LOAD = 1;
    public static final byte STORE = 2;
    public static final byte STORE_ACC = 3;
    public static final byte UPDATE = 4;
    public static final byte AND_ACC = 5;
    public static final byte OR_ACC = 6;
    public static final byte INVLPG = 7;
    public static final byte MOV_CR0 = 8;
    public static final byte MOV_CR3 = 9;
    public static final byte MOV_CR4 = 10;
    public static final byte ENTER_KERNEL = 11;
    public static final byte ENTER_USER = 12;
    public static final byte HLT = 13;
    public static final byte OUT = 14;
    public static final byte VMCALL = 15;
    public static final byte WRMSR = 16;
    public static final byte STI_HLT = 17;
    public static final byte CLI = 18;
    public static final byte MOV_CR3_SLOT = 19;
    public static final byte VMX = 20;
    public static final byte MOV_CR2 = 21;
    public static final byte SVM = 22;

    /** Beside an update function: the operand is a paging-structure entry. */
    public static final byte ENTRY = 1 << 6;

    /** The widest memory operand, in bytes. */
    public static final int MAX_WIDTH = 4096;

    public byte[] kind;
    public byte[] function;
    public int[] width;
    public long[] address;
    public long[] value;
    public int count;

    /** An empty buffer with room for {@code capacity} steps before it grows. */
    public StepBuffer(int capacity) {
        kind = new byte[capacity];
        function = new byte[capacity];
        width = new int[capacity];
        address = new long[capacity];
        value = new long[capacity];
    }

    /** Number of steps. */
    public int size() {
        return count;
    }

    /** Forgets all steps. */
    public void clear() {
        count = 0;
    }

    /**
     * Makes room for {@code steps} more steps. Then the elements of all five arrays from {@link #count} on may be written, a step each as
     * the table says, and {@link #count} be raised; what is written there is not checked.
     */
    public void reserve(int steps) {
        if (kind.length - count < steps) {
            resize(Math.max(count + steps, count * 2));
        }
    }

    public void fetch(long gva, int bytes) {
        memory(FETCH, gva, bytes, 0);
    }

    public void load(long gva, int bytes) {
        memory(LOAD, gva, bytes, 0);
    }

    /**
     * A load of the paging-structure entry of {@code bytes} (4 or 8) at {@code gva}, whose accessed and dirty bits do not enter the
     * guest's digest.
     */
    public void loadEntry(long gva, int bytes) {
        memory(LOAD, gva, bytes, 0);
        function[count - 1] = ENTRY;
    }

    public void store(long gva, int bytes, long datum) {
        memory(STORE, gva, bytes, datum);
    }

    public void storeAccumulator(long gva, int bytes) {
        memory(STORE_ACC, gva, bytes, 0);
    }

    /** A read-modify-write; {@code updateFunction} is an {@link UpdateFunction}. */
    public void update(long gva, int bytes, int updateFunction, long operand) {
        if (bytes > 8 || updateFunction < UpdateFunction.AND || updateFunction > UpdateFunction.EXCHANGE) {
            throw new IllegalArgumentException("update function " + updateFunction + " on " + bytes
                    + " bytes: a function of UpdateFunction on 1 to 8 bytes is needed");
        }
        memory(UPDATE, gva, bytes, operand);
        function[count - 1] = (byte) updateFunction;
    }

    /** An {@link #update} of the paging-structure entry of {@code bytes} at {@code gva}; its digest is that of {@link #loadEntry}. */
    public void updateEntry(long gva, int bytes, int updateFunction, long operand) {
        update(gva, bytes, updateFunction, operand);
        function[count - 1] |= ENTRY;
    }

    public void andAccumulator(long mask) {
        add(AND_ACC, 0, 8, mask);
    }

    public void orAccumulator(long mask) {
        add(OR_ACC, 0, 8, mask);
    }

    public void invlpg(long gva) {
        add(INVLPG, gva, 0, 0);
    }

    public void movToCr0(long newValue) {
        add(MOV_CR0, 0, 8, newValue);
    }

    /** {@code newValue} as the operand: bit 63 asks to keep the PCID's translations. */
    public void movToCr3(long newValue) {
        add(MOV_CR3, 0, 8, newValue);
    }

    public void movToCr4(long newValue) {
        add(MOV_CR4, 0, 8, newValue);
    }

    public void enterKernel() {
        add(ENTER_KERNEL, 0, 0, 0);
    }

    public void enterUser() {
        add(ENTER_USER, 0, 0, 0);
    }

    public void hlt() {
        add(HLT, 0, 0, 0);
    }

    /**
     * STI and HLT as one operation, with which an idle loop ends: STI holds interrupts off until the instruction after it has executed
     * (SDM vol. 2, "STI"), so that one which is pending wakes the HLT instead of coming before it.
     */
    public void stiHlt() {
        add(STI_HLT, 0, 0, 0);
    }

    public void cli() {
        add(CLI, 0, 0, 0);
    }

    public void out(int port, int bytes, long datum) {
        add(OUT, port, bytes, datum);
    }

    public void vmcall() {
        add(VMCALL, 0, 0, 0);
    }

    /** A hypercall with two arguments, in KVM's convention. */
    public void vmcall(int number, long rbx, long rcx) {
        add(VMCALL, rcx, number, rbx);
    }

    /**
     * Switches to the address space of {@code newValue}, by what lies in the slot at {@code slot} if that is not 0; see
     * {@link Hypercall#CR3_SLOT}. Stands for the load of the slot and the MOV, with interrupts off.
     */
    public void movToCr3(long newValue, long slot) {
        add(MOV_CR3_SLOT, slot, 8, newValue);
    }

    public void wrmsr(int msr, long newValue) {
        add(WRMSR, msr, 8, newValue);
    }

    /** VMXON, VMCLEAR or VMPTRLD of the region at {@code gpa}; VMLAUNCH, VMRESUME or VMXOFF. */
    public void vmx(ExitReason instruction, long gpa) {
        vmx(instruction, 0, gpa, 0);
    }

    public void vmread(VmcsField field) {
        vmx(ExitReason.VMREAD, field.encoding(), 0, 0);
    }

    public void vmwrite(VmcsField field, long datum) {
        vmx(ExitReason.VMWRITE, field.encoding(), datum, 0);
    }

    /** INVEPT of {@code type}: 1 single-context, 2 global. */
    public void invept(int type, long eptp) {
        vmx(ExitReason.INVEPT, type, eptp, 0);
    }

    /** VMFUNC with EAX 0 and ECX {@code index}: EPTP switching. */
    public void vmfunc(int index) {
        vmx(ExitReason.VMFUNC, 0, index, 0);
    }

    private void vmx(ExitReason instruction, int field, long first, long second) {
        add(VMX, second, field, first);
        function[count - 1] = (byte) instruction.number();
    }

    /** VMRUN, VMLOAD or VMSAVE of the VMCB at {@code gpa}; STGI or CLGI. */
    public void svm(ExitReason instruction, long gpa) {
        add(SVM, 0, 0, gpa);
        function[count - 1] = (byte) instruction.number();
    }

    /** INVLPGA of {@code gva} under {@code asid}. */
    public void invlpga(long gva, int asid) {
        add(SVM, asid, 0, gva);
        function[count - 1] = (byte) ExitReason.INVLPGA.number();
    }

    public void movToCr2(long newValue) {
        add(MOV_CR2, 0, 8, newValue);
    }

    /** True of a step whose {@link #address} is a gva that it reads, writes or fetches from. */
    public static boolean accessesMemory(byte stepKind) {
        return stepKind <= UPDATE;
    }

    /** Step {@code i} in words, for messages: "STORE of 8 bytes at 0x…". */
    public String describe(int i) {
        switch (kind[i]) {
            case FETCH:
                return memory("FETCH", i);
            case LOAD:
                return memory("LOAD", i);
            case STORE:
                return memory("STORE", i);
            case STORE_ACC:
                return memory("STORE_ACC", i);
            case UPDATE:
                return memory("UPDATE", i);
            case INVLPG:
                return String.format("INVLPG 0x%x", address[i]);
            case MOV_CR0:
                return String.format("MOV CR0, 0x%x", value[i]);
            case MOV_CR3:
                return String.format("MOV CR3, 0x%x", value[i]);
            case MOV_CR3_SLOT:
                return String.format("MOV CR3, 0x%x or what lies at 0x%x", value[i], address[i]);
            case MOV_CR4:
                return String.format("MOV CR4, 0x%x", value[i]);
            case OUT:
                return String.format("OUT 0x%x, 0x%x", address[i], value[i]);
            case WRMSR:
                return String.format("WRMSR 0x%x, 0x%x", address[i], value[i]);
            case HLT:
                return "HLT";
            case STI_HLT:
                return "STI; HLT";
            case CLI:
                return "CLI";
            case VMCALL:
                return "VMCALL";
            case VMX:
                return String.format("%s 0x%x, 0x%x", ExitReason.of(function[i]), width[i], value[i]);
            case SVM:
                return String.format("%s 0x%x", ExitReason.of(function[i]), value[i]);
            case MOV_CR2:
                return String.format("MOV CR2, 0x%x", value[i]);
            default:
                return "step kind " + kind[i];
        }
    }

    private String memory(String name, int i) {
        return String.format("%s of %d bytes at 0x%x", name, width[i], address[i]);
    }

    private void memory(byte stepKind, long gva, int bytes, long datum) {
        if (bytes < 1 || bytes > MAX_WIDTH) {
            throw new IllegalArgumentException("an operand of " + bytes + " bytes: 1 to " + MAX_WIDTH + " are possible");
        }
        add(stepKind, gva, bytes, datum);
    }

    private void add(byte stepKind, long gva, int bytes, long datum) {
        if (count == kind.length) {
            resize(Math.max(16, count * 2));
        }
        int i = count++;
        kind[i] = stepKind;
        address[i] = gva;
        width[i] = bytes;
        value[i] = datum;
        function[i] = 0;
    }

    private void resize(int capacity) {
        kind = Arrays.copyOf(kind, capacity);
        function = Arrays.copyOf(function, capacity);
        width = Arrays.copyOf(width, capacity);
        address = Arrays.copyOf(address, capacity);
        value = Arrays.copyOf(value, capacity);
    }
}
