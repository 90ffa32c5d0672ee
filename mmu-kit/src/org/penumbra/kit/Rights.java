package org.penumbra.kit;

import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingState;

/**
 * What a walk grants, combined over its levels: KVM's {@code ACC_*} bits.
 *
 * <pre>
 *  bit 0  EXEC   no entry has XD set
 *  bit 1  WRITE  every entry has R/W set
 *  bit 2  USER   every entry has U/S set; of EPT, where all may read who may anything, R
 *  bits 6:3      of a leaf of EPT: its memory type and "ignore PAT", each bit as it differs from write-back with PAT; no right, but it goes
 *                where rights go
 * </pre>
 */
public final class Rights {
    public static final int EXEC = 1;
    public static final int WRITE = 2;
    public static final int USER = 4;
    public static final int ALL = EXEC | WRITE | USER;

    /** Bits 6:3. */
    public static final int MEMORY_TYPE = 15 << 3;
    /** Write-back, in bits 5:3 of an EPT leaf, where an EPT entry also has the type. */
    private static final int WRITE_BACK = 6 << 3;

    private Rights() {}

    /** What bits 6:3 of an EPT leaf say: {@link #MEMORY_TYPE} of {@code leaf}. */
    public static int memoryType(long leaf) {
        return (int) leaf & MEMORY_TYPE ^ WRITE_BACK;
    }

    /** Bits 6:3 of an EPT leaf with the memory type in {@code rights}. */
    public static int leafType(int rights) {
        return rights & MEMORY_TYPE ^ WRITE_BACK;
    }

    /**
     * True if {@code rights} allow {@code access} in {@code state}, protection keys aside (SDM vol. 3, "Determination of Access
     * Rights").
     */
    public static boolean allow(int rights, int access, PagingState state) {
        boolean userPage = (rights & USER) != 0;
        if (Access.isUser(access)) {
            return userPage && (Access.isWrite(access) ? (rights & WRITE) != 0 : !Access.isFetch(access) || executable(rights, state));
        }
        if (Access.isFetch(access)) {
            return executable(rights, state) && !(userPage && state.has4(ControlBits.CR4_SMEP));
        }
        if (userPage && state.has4(ControlBits.CR4_SMAP) && (access & Access.AC) == 0) {
            return false;
        }
        return !Access.isWrite(access) || (rights & WRITE) != 0 || !state.has0(ControlBits.CR0_WP);
    }

    /**
     * True if protection key {@code key} of a page with {@code rights} refuses {@code access} in {@code state} (SDM vol. 3,
     * "Protection Keys"): PKRU for user pages, IA32_PKRS for supervisor pages, two bits a key, access disable and write disable.
     */
    static boolean keyRefuses(int rights, int key, int access, PagingState state) {
        boolean userPage = (rights & USER) != 0;
        boolean on = state.hasEfer(ControlBits.EFER_LMA) && state.has4(userPage ? ControlBits.CR4_PKE : ControlBits.CR4_PKS);
        if (!on || Access.isFetch(access)) {
            return false;
        }
        int bits = (userPage ? state.pkru() : state.pkrs()) >>> 2 * key;
        boolean writeDisableCounts = Access.isWrite(access) && (Access.isUser(access) || state.has0(ControlBits.CR0_WP));
        return (bits & 1) != 0 || (bits & 2) != 0 && writeDisableCounts;
    }

    /** True if {@code rights} of EPT entries allow {@code access} (SDM vol. 3, "EPT Violations"). */
    static boolean allowInEpt(int rights, int access) {
        int needed = Access.isFetch(access) ? EXEC : Access.isWrite(access) ? WRITE : USER;
        return (rights & needed) != 0;
    }

    private static boolean executable(int rights, PagingState state) {
        return (rights & EXEC) != 0 || !state.hasEfer(ControlBits.EFER_NXE);
    }
}
