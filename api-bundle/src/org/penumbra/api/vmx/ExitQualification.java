package org.penumbra.api.vmx;

/**
 * Exit qualifications of control-register accesses, I/O instructions and SPP-related events (SDM vol. 3, tables "Exit Qualification for
 * Control-Register Accesses", "… for I/O Instructions" and "… for SPP-Related Events").
 *
 * <pre>
 *  CR access   3:0 control register   5:4 0 = MOV to CR, 1 = MOV from CR   11:8 general-purpose register
 *  I/O         2:0 width − 1          3 direction, 0 = OUT                 31:16 port
 *  SPP         11  1 = SPPT miss, 0 = SPPT misconfiguration
 * </pre>
 */
public final class ExitQualification {
    /** An SPP-related event is an SPPT miss, and no misconfiguration. */
    public static final long SPPT_MISS = 1L << 11;

    private ExitQualification() {}

    /** MOV to control register {@code cr}. */
    public static long movToCr(int cr) {
        return cr;
    }

    /** MOV from control register {@code cr}. */
    public static long movFromCr(int cr) {
        return 1L << 4 | cr;
    }

    /** True if a CR access is a MOV from the register. */
    public static boolean reads(long qualification) {
        return (qualification >>> 4 & 3) == 1;
    }

    /** The control register of a CR access. */
    public static int cr(long qualification) {
        return (int) qualification & 0xf;
    }

    /** OUT of {@code width} bytes to {@code port}. */
    public static long out(int port, int width) {
        return (long) port << 16 | width - 1;
    }

    /** IN of {@code width} bytes from {@code port}. */
    public static long in(int port, int width) {
        return out(port, width) | 1L << 3;
    }

    /** True if an I/O instruction reads. */
    public static boolean isIn(long qualification) {
        return (qualification >>> 3 & 1) != 0;
    }

    /** The port of an I/O instruction. */
    public static int port(long qualification) {
        return (int) (qualification >>> 16) & 0xffff;
    }

    /** The width in bytes of an I/O instruction. */
    public static int width(long qualification) {
        return ((int) qualification & 7) + 1;
    }
}
