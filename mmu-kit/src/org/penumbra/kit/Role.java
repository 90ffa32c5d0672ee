package org.penumbra.kit;

/**
 * What tells shadow pages of one guest frame apart: KVM's {@code union kvm_mmu_page_role}, packed into 24 bits so that it forms
 * a hash key together with the gfn.
 *
 * <pre>
 *  bits 3:0   level of the shadow page, 1 the leaf tables
 *  bit  4     direct: maps a linear range, no guest table behind it
 *  bits 7:5   {@link Rights} of the path to it
 *  bit  8     efer_nx: XD is an execute right, not a reserved bit
 * </pre>
 */
public final class Role {
    private static final int DIRECT = 1 << 4;
    public static final int EFER_NX = 1 << 8;
    private static final int BITS = 24;

    private Role() {}

    /** A role; {@code mode} is 0 or {@link #EFER_NX}. */
    public static int of(int level, boolean direct, int rights, int mode) {
        return level | (direct ? DIRECT : 0) | rights << 5 | mode;
    }

    /** The mode bits of {@code role}. */
    public static int mode(int role) {
        return role & EFER_NX;
    }

    public static int level(int role) {
        return role & 0xf;
    }

    public static boolean direct(int role) {
        return (role & DIRECT) != 0;
    }

    /** {@link Rights} of the path to the page. */
    public static int rights(int role) {
        return role >> 5 & 7;
    }

    /** The hash key of (gfn, role): gfns have up to 40 bits. */
    static long key(long gfn, int role) {
        return gfn << BITS | role;
    }
}
