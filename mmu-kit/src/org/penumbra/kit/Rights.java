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
 *  bit 2  USER   every entry has U/S set
 * </pre>
 */
public final class Rights {
    public static final int EXEC = 1;
    public static final int WRITE = 2;
    public static final int USER = 4;
    public static final int ALL = EXEC | WRITE | USER;

    private Rights() {}

    /** True if {@code rights} allow {@code access} in {@code state} (SDM vol. 3, "Determination of Access Rights"). */
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

    private static boolean executable(int rights, PagingState state) {
        return (rights & EXEC) != 0 || !state.hasEfer(ControlBits.EFER_NXE);
    }
}
