package org.penumbra.api.cpu;

import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingState;

/**
 * The architectural registers of one vCPU as its guest sees them. The machine owns it: it survives the replacement of MMU,
 * engine and handlers. What the real control registers hold while the guest runs may differ (a shadow root in CR3); that is in
 * the {@link org.penumbra.api.vmx.Vmcs}. Used by the thread that runs the vCPU.
 */
public final class RegisterFile {
    /** RAX. */
    public static final int RAX = 0;
    /** RCX. */
    public static final int RCX = 1;
    /** RDX. */
    public static final int RDX = 2;
    /** RBX. */
    public static final int RBX = 3;

    /** The general-purpose registers, RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8 … R15. */
    public final long[] gpr = new long[16];
    public long rip;
    /** Bit 1 is always 1; IF and AC are {@link ControlBits}. */
    public long rflags = 2;
    /** Current privilege level, 0 to 3. */
    public int cpl;
    /** Linear address of the last #PF that was delivered. */
    public long cr2;
    /** CR0, CR3, CR4, EFER, PKRU, PKRS. */
    public PagingState paging = new PagingState(0, 0, 0, 0, 0, 0);

    /** Segments and descriptor tables; engines of steps, whose addresses are linear, do without. */
    public final Segments segments = new Segments();
    /** System registers without influence on translation. */
    public final SystemRegisters system = new SystemRegisters();
    /** XMM registers (two words each, the low one first), and MXCSR. */
    public final long[] xmm = new long[32];
    /** Bits 255:128 of the YMM registers, as {@link #xmm} has the others. */
    public final long[] ymm = new long[32];
    public int mxcsr = 0x1f80;
    /** The x87 FPU. */
    public final FpuRegisters fpu = new FpuRegisters();

    /** The {@link Access} kind of {@code operation} (READ, WRITE or FETCH) at the current privilege. */
    public int access(int operation) {
        if (cpl == 3) {
            return operation | Access.USER;
        }
        return operation != Access.FETCH && (rflags & ControlBits.RFLAGS_AC) != 0 ? operation | Access.AC : operation;
    }
}
