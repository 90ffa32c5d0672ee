package org.penumbra.cpu.execute;

import org.penumbra.api.cpu.SystemRegisters;

/**
 * Breakpoints of the debug registers (SDM vol. 3, "Debug Registers").
 *
 * <pre>
 *  DR7   2n L, 2n + 1 G: enabled   13 GD   17 + 4n:16 + 4n  0 execution, 1 writes, 2 I/O (CR4.DE), 3 reads and writes   19 + 4n:18 + 4n  length 1, 2, 8, 4
 *  DR6   n breakpoint n was met   13 BD   14 BS   15 BT
 * </pre>
 */
final class Breakpoints {
    static final long GD = 1 << 13;
    static final long BS = 1 << 14;
    private static final long ENABLED = 0xff;
    private static final long MET = 0xf;
    private static final int EXECUTE = 0;
    private static final int WRITE = 1;
    private static final int PORT = 2;
    /** Debugging extensions: breakpoints at ports; DR4 and DR5 are not there. */
    static final long CR4_DE = 1 << 3;
    private static final int[] LENGTH = {1, 2, 8, 4};

    private final Core core;
    private final SystemRegisters system;
    /** Breakpoints that the instruction under execution has met, as in DR6. */
    private long met;

    Breakpoints(Core core) {
        this.core = core;
        this.system = core.registers.system;
    }

    /**
     * DR6 says why a debug exception comes. Bits 3:0 are those of the breakpoints met now; the others the processor sets and never clears (SDM vol. 3,
     * "Debug Status Register (DR6)"; KVM: kvm_deliver_exception_payload).
     */
    void report(long why) {
        system.debug[6] = system.debug[6] & ~MET | why;
    }

    boolean any() {
        return (system.debug[7] & ENABLED) != 0;
    }

    /** An instruction begins: nothing is met yet. */
    void begin() {
        met = 0;
    }

    /** What was met, once. */
    long take() {
        long taken = met;
        met = 0;
        return taken;
    }

    /** Breakpoints at the instruction at {@code linear}, as in DR6. */
    long at(long linear) {
        long found = 0;
        for (int n = 0; n < 4; n++) {
            if (kind(n) == EXECUTE && system.debug[n] == linear) {
                found |= 1L << n;
            }
        }
        return found;
    }

    void data(long linear, int width, boolean write) {
        for (int n = 0; n < 4; n++) {
            int kind = kind(n);
            if (kind == WRITE && write || kind == 3) {
                meet(n, linear, width);
            }
        }
    }

    void port(int port, int width) {
        for (int n = 0; n < 4; n++) {
            if (kind(n) == PORT && core.registers.paging.has4(CR4_DE)) {
                meet(n, port, width);
            }
        }
    }

    /** What breakpoint {@code n} waits for; −1 if it is not enabled. */
    private int kind(int n) {
        return (system.debug[7] >>> 2 * n & 3) == 0 ? -1 : (int) (system.debug[7] >>> 16 + 4 * n) & 3;
    }

    private void meet(int n, long at, int width) {
        int length = LENGTH[(int) (system.debug[7] >>> 18 + 4 * n) & 3];
        long first = system.debug[n] & -length;
        if (at < first + length && first < at + width) {
            met |= 1L << n;
        }
    }
}
