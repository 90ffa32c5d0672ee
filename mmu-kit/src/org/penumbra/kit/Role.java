package org.penumbra.kit;

import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.TranslationRoot;

/**
 * What tells shadow pages of one guest frame apart: KVM's {@code union kvm_mmu_page_role}, packed into 24 bits so that it forms
 * a hash key together with the gfn.
 *
 * <pre>
 *  bits 3:0    level of the shadow page, 1 the leaf tables
 *  bit  4      direct: maps a linear range, no guest table behind it
 *  bits 7:5    {@link Rights} of the path to it
 *  bit  8      efer_nx: XD is an execute right, not a reserved bit
 *  bit  9      cr0_wp: the guest's CR0.WP
 *  bit  10     smep_andnot_wp
 *  bit  11     smap_andnot_wp
 *  bits 14:12  {@link GuestFormat} of the guest's table: what KVM's has_4_byte_gpte says, and which bits are reserved
 *  bits 16:15  quadrant: which part of a table of 4-byte entries it shadows
 *  bit  17     kernel: of a de-privileged guest's kernel, which runs at CPL 3; such a guest's other pages are of its user programs
 *  bit  18     kernel_smep: CR4.SMEP, of a kernel page
 *  bit  19     kernel_smap: CR4.SMAP, of a kernel page
 *  bit  20     ad_disabled: of EPT tables without accessed and dirty flags
 * </pre>
 *
 * A direct page has level, direct, rights, kernel and kernel_smep only, and in bits 11:8 the memory type of {@link Rights}: what it maps
 * depends on nothing but its frame, its rights and that.
 * Of KVM's other parts invalid is a state of the page, not of its key ({@link ShadowPage#invalid}); guest_mode is what the format says,
 * since EPT tables are shadowed for nested guests alone, and nested tables apart from others; passthrough is a frame above the top page ({@code
 * Roots}); smm has no situation without system-management mode.
 */
public final class Role {
    public static final int EFER_NX = 1 << 8;
    public static final int CR0_WP = 1 << 9;
    public static final int SMEP_ANDNOT_WP = 1 << 10;
    public static final int SMAP_ANDNOT_WP = 1 << 11;
    public static final int KERNEL = 1 << 17;
    public static final int KERNEL_SMEP = 1 << 18;
    public static final int KERNEL_SMAP = 1 << 19;
    public static final int AD_DISABLED = 1 << 20;

    private static final int DIRECT = 1 << 4;
    /** Of a direct page the memory type follows the rights, as in {@link Rights}. */
    private static final int RIGHTS_SHIFT = 5;
    private static final int FORMAT_SHIFT = 12;
    private static final int QUADRANT_SHIFT = 15;
    private static final int MODE = EFER_NX | CR0_WP | SMEP_ANDNOT_WP | SMAP_ANDNOT_WP | 7 << FORMAT_SHIFT
            | KERNEL | KERNEL_SMEP | KERNEL_SMAP | AD_DISABLED;
    private static final int BITS = 24;

    private Role() {}

    /** The mode bits of a guest in {@code state}; 0 without paging, since every page is a direct one then. KVM: kvm_calc_cpu_role. */
    public static int mode(PagingState state) {
        GuestFormat format = GuestFormat.of(state);
        if (format == GuestFormat.NONE) {
            return 0;
        }
        int mode = format.ordinal() << FORMAT_SHIFT;
        mode |= state.hasEfer(ControlBits.EFER_NXE) ? EFER_NX : 0;
        if (state.has0(ControlBits.CR0_WP)) {
            return mode | CR0_WP;
        }
        mode |= state.has4(ControlBits.CR4_SMEP) ? SMEP_ANDNOT_WP : 0;
        return mode | (state.has4(ControlBits.CR4_SMAP) ? SMAP_ANDNOT_WP : 0);
    }

    /** The mode bits of a guest hypervisor's EPT tables that {@code eptp} names. KVM: kvm_calc_shadow_ept_root_page_role. */
    public static int eptMode(long eptp) {
        return GuestFormat.ofEpt(eptp).ordinal() << FORMAT_SHIFT | ((eptp & GuestFormat.EPTP_FLAGS) == 0 ? AD_DISABLED : 0);
    }

    /** The mode bits of a guest hypervisor's nested tables. KVM: kvm_init_shadow_npt_mmu. */
    public static int nestedMode(TranslationRoot.Nested tables) {
        return mode(GuestFormat.hostOf(tables));
    }

    /** The mode bits of the kernel of a guest in {@code state} that is de-privileged; 0 without paging, which knows no rights. */
    public static int kernelMode(PagingState state) {
        int mode = mode(state);
        if (mode == 0) {
            return 0;
        }
        mode |= state.has4(ControlBits.CR4_SMEP) ? KERNEL_SMEP : 0;
        return mode | KERNEL | (state.has4(ControlBits.CR4_SMAP) ? KERNEL_SMAP : 0);
    }

    /**
     * What an spte in a page of {@code role} says where the guest's tables grant {@code rights}. The kernel of a de-privileged guest is a
     * user to the processor, so U/S is 1 whatever the guest has there, and SMEP is made of XD. No such page may map what SMAP
     * keeps from its kernel ({@link #keptBySmap}).
     */
    public static int granted(int role, int rights) {
        if ((role & KERNEL) == 0) {
            return rights;
        }
        boolean smep = (role & KERNEL_SMEP) != 0 && (rights & Rights.USER) != 0;
        return (smep ? rights & ~Rights.EXEC : rights) | Rights.USER;
    }

    /**
     * True if a page with {@code rights} is not mapped in a page of {@code role}, since SMAP keeps it from a de-privileged kernel, or lets it in
     * with EFLAGS.AC only, which no entry can ask for.
     */
    public static boolean keptBySmap(int role, int rights) {
        return (role & KERNEL_SMAP) != 0 && (rights & Rights.USER) != 0;
    }

    /** The role of a page that shadows a guest table, or part {@code quadrant} of one, for a guest with the mode bits {@code mode}. */
    public static int of(int level, int rights, int mode, int quadrant) {
        return level | rights << RIGHTS_SHIFT | mode | quadrant << QUADRANT_SHIFT;
    }

    /** The role of a page that maps a linear range, for a guest with the mode bits {@code mode}. */
    public static int direct(int level, int rights, int mode) {
        return level | DIRECT | (rights & (Rights.ALL | Rights.MEMORY_TYPE)) << RIGHTS_SHIFT | mode & (KERNEL | KERNEL_SMEP);
    }

    /** The mode bits of {@code role}. */
    public static int mode(int role) {
        return role & MODE;
    }

    /** The format of the guest table behind a page of {@code role}. */
    public static GuestFormat format(int role) {
        return GuestFormat.of(role >> FORMAT_SHIFT & 7);
    }

    public static int level(int role) {
        return role & 0xf;
    }

    public static boolean isDirect(int role) {
        return (role & DIRECT) != 0;
    }

    /** {@link Rights} of the path to the page; of a direct page with the memory type. */
    public static int rights(int role) {
        return role >> RIGHTS_SHIFT & (isDirect(role) ? Rights.ALL | Rights.MEMORY_TYPE : Rights.ALL);
    }

    public static int quadrant(int role) {
        return role >> QUADRANT_SHIFT & 3;
    }

    /** The hash key of (gfn, role): gfns have up to 40 bits. */
    static long key(long gfn, int role) {
        return gfn << BITS | role;
    }
}
