package org.penumbra.testkit.reference;

import static org.penumbra.api.paging.ControlBits.*;
import static org.penumbra.testkit.reference.EntryBits.*;

import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PageFaultError;
import org.penumbra.api.paging.PagingState;

/**
 * Who may do what: SDM vol. 3, "Determination of Access Rights", "Protection Keys" and "Page-Fault Exceptions".
 *
 * <p>The rights of a walk are one word in the format of an entry: R/W and U/S are 1 if they are 1 in every entry used, XD is 1
 * if it is 1 in any.
 */
public final class AccessRights {
    /** Answer of {@link #check} where the access is allowed. */
    public static final int ALLOWED = -1;
    /** The rights of a walk that has used no entry yet. */
    public static final long FULL = RW | US;

    private AccessRights() {}

    /** The rights of a walk with {@code rights} so far after it used {@code entry}. */
    public static long combine(long rights, long entry) {
        return rights & entry & (RW | US) | (rights | entry) & XD;
    }

    /** {@link #ALLOWED}, or the error code of the #PF that {@code access} to a page with {@code rights} and {@code key} raises. */
    public static int check(PagingState state, int access, long rights, int key) {
        boolean refusedByKey = keyRefuses(state, access, (rights & US) != 0, key);
        if (modeAllows(state, access, rights) && !refusedByKey) {
            return ALLOWED;
        }
        return errorCode(state, access, PageFaultError.PRESENT | (refusedByKey ? PageFaultError.KEY : 0));
    }

    /** The error code of a #PF of {@code access} with the bits {@code cause}: W/R, U/S and I/D added. */
    public static int errorCode(PagingState state, int access, int cause) {
        boolean reportsFetch = state.has4(CR4_SMEP) || state.has4(CR4_PAE) && state.hasEfer(EFER_NXE);
        return cause
                | (Access.isWrite(access) ? PageFaultError.WRITE : 0)
                | (Access.isUser(access) ? PageFaultError.USER : 0)
                | (Access.isFetch(access) && reportsFetch ? PageFaultError.FETCH : 0);
    }

    private static boolean modeAllows(PagingState state, int access, long rights) {
        boolean userPage = (rights & US) != 0;
        boolean writable = (rights & RW) != 0;
        boolean executable = (rights & XD) == 0;
        if (Access.isUser(access)) {
            return userPage && (Access.isWrite(access) ? writable : Access.isFetch(access) ? executable : true);
        }
        if (Access.isFetch(access)) {
            return executable && !(userPage && state.has4(CR4_SMEP));
        }
        boolean smapAllows = !userPage || !state.has4(CR4_SMAP) || (access & Access.AC) != 0;
        return smapAllows && (!Access.isWrite(access) || writable || !state.has0(CR0_WP));
    }

    private static boolean keyRefuses(PagingState state, int access, boolean userPage, int key) {
        if (Access.isFetch(access) || !state.hasEfer(EFER_LMA) || !state.has4(userPage ? CR4_PKE : CR4_PKS)) {
            return false;
        }
        int register = userPage ? state.pkru() : state.pkrs();
        boolean accessDisabled = (register >>> 2 * key & 1) != 0;
        boolean writeDisabled = (register >>> 2 * key & 2) != 0;
        return accessDisabled || writeDisabled && Access.isWrite(access) && (Access.isUser(access) || state.has0(CR0_WP));
    }
}
