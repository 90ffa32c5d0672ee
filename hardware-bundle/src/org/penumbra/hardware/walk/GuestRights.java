package org.penumbra.hardware.walk;

import static org.penumbra.api.paging.ControlBits.CR0_WP;
import static org.penumbra.api.paging.ControlBits.CR4_PKE;
import static org.penumbra.api.paging.ControlBits.CR4_PKS;
import static org.penumbra.api.paging.ControlBits.CR4_SMAP;
import static org.penumbra.api.paging.ControlBits.CR4_SMEP;
import static org.penumbra.api.paging.ControlBits.EFER_NXE;

import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PageFaultError;
import org.penumbra.api.paging.PagingMode;

/**
 * Access rights of linear addresses: SDM vol. 3, "Determination of Access Rights" and "Protection Keys".
 *
 * <p>A cached translation carries raw rights, from which the allowed kinds are derived under the registers as they stand:
 *
 * <pre>
 *  bit  1      R/W of every entry of the path
 *  bit  2      U/S of every entry of the path
 *  bit  3, 4   PWT and PCD of the page
 *  bit  6      D of the page
 *  bit  7      PAT of the page
 *  bit  8      G of the page
 *  39:32       rights of the second dimension, as {@link SecondStage} defines them; {@link #ONE_STAGE} without it
 *  45:40       log2 of the page size in the guest's own tables
 *  62:59       protection key of the page
 *  bit  63     executable: XD clear in every entry of the path
 * </pre>
 */
public final class GuestRights {
    /** Where the rights of the second dimension stand in raw rights. */
    public static final int STAGE_SHIFT = 32;
    /** Those of a translation in which no second dimension takes part. */
    public static final long ONE_STAGE = SecondStage.ALL << STAGE_SHIFT;
    /** Where the guest's page size stands in raw rights. */
    public static final int SIZE_SHIFT = 40;
    /** Raw rights of an address that is not translated by guest tables. */
    public static final long UNPAGED = Paging.RW | Paging.US | Paging.D | Paging.XD;

    private static final int S_READ = 1 << Access.READ;
    private static final int S_WRITE = 1 << Access.WRITE;
    private static final int AC_READ = S_READ << Access.AC;
    private static final int AC_WRITE = S_WRITE << Access.AC;
    private static final int S_FETCH = 1 << Access.FETCH | 1 << (Access.FETCH | Access.AC);
    private static final int U_READ = 1 << Access.USER;
    private static final int U_WRITE = U_READ << Access.WRITE;
    private static final int U_FETCH = U_READ << Access.FETCH;
    private static final int WRITES = S_WRITE | AC_WRITE | U_WRITE;

    private boolean wp;
    private boolean nxe;
    private boolean smep;
    private boolean smap;
    private boolean deprivileged;
    /** PKRU, IA32_PKRS: 0 unless keys apply. */
    private int pkru;
    private int pkrs;
    /** By R/W, U/S and XD of the rights, as bits 0, 1, 2: the kinds they permit under these registers, but for keys. */
    private final int[] kinds = new int[8];

    /** As the registers are before {@link #load}: all 0. */
    public GuestRights() {
        derive();
    }

    /**
     * Sets the registers; true if that may change the allowed kinds of some translation. Without paging none of them counts; 32-bit
     * paging has no XD, and only 4- and 5-level paging have protection keys. With {@code atCpl3} what a guest takes for supervisor accesses
     * are user accesses.
     */
    public boolean load(PagingMode mode, long cr0, long cr4, long efer, int userKeys, int supervisorKeys, boolean atCpl3) {
        boolean newWp = (cr0 & CR0_WP) != 0;
        boolean newNxe = (efer & EFER_NXE) != 0 && mode != PagingMode.BITS_32;
        boolean newSmep = (cr4 & CR4_SMEP) != 0 && mode != PagingMode.NONE;
        boolean newSmap = (cr4 & CR4_SMAP) != 0 && mode != PagingMode.NONE;
        int newPkru = (cr4 & CR4_PKE) != 0 && mode.isLong() ? userKeys : 0;
        int newPkrs = (cr4 & CR4_PKS) != 0 && mode.isLong() ? supervisorKeys : 0;
        boolean changed = newWp != wp || newNxe != nxe || newSmep != smep || newSmap != smap || newPkru != pkru || newPkrs != pkrs
                || atCpl3 != deprivileged;
        deprivileged = atCpl3;
        wp = newWp;
        nxe = newNxe;
        smep = newSmep;
        smap = newSmap;
        pkru = newPkru;
        pkrs = newPkrs;
        derive();
        return changed;
    }

    private void derive() {
        for (int i = 0; i < kinds.length; i++) {
            kinds[i] = kindsWithoutKeys((i & 1) != 0, (i & 2) != 0, (i & 4) != 0);
        }
    }

    /** True if XD is a right and not a reserved bit. */
    public boolean noExecute() {
        return nxe;
    }

    /** One bit per {@link Access} kind that {@code rights} permit, whether a dirty flag is set or not. */
    public int allowed(long rights) {
        return kinds[index(rights)] & ~deniedByKey(rights);
    }

    private static int index(long rights) {
        return (int) (rights >>> 1) & 3 | (int) (rights >>> 61) & 4;
    }

    private int kindsWithoutKeys(boolean write, boolean user, boolean xd) {
        boolean execute = !nxe || xd;
        int permitted = S_READ | AC_READ;
        if (write || !wp) {
            permitted |= S_WRITE | AC_WRITE;
        }
        if (execute) {
            permitted |= S_FETCH;
        }
        if (user) {
            permitted |= U_READ | (write ? U_WRITE : 0) | (execute ? U_FETCH : 0);
            if (smap) {
                permitted &= ~(S_READ | S_WRITE);
            }
            if (smep) {
                permitted &= ~S_FETCH;
            }
        }
        if (deprivileged) {
            permitted &= U_READ | U_WRITE | U_FETCH;
            permitted |= permitted >>> Access.USER | (permitted >>> Access.USER) << Access.AC;
        }
        return permitted;
    }

    /** The kinds for which a cached translation with {@code rights} may be used without a walk. */
    public int usable(long rights) {
        int usable = allowed(rights) & SecondStage.allowed(rights >>> STAGE_SHIFT, (rights & Paging.US) != 0);
        return (rights & Paging.D) != 0 ? usable : usable & ~WRITES;
    }

    /** The #PF error code for {@code access} after a walk that ended with {@code result} and {@code rights}. */
    public int errorCode(int result, long rights, int access) {
        int code = Access.isWrite(access) ? PageFaultError.WRITE : 0;
        if (Access.isUser(access)) {
            code |= PageFaultError.USER;
        }
        if (Access.isFetch(access) && (smep || nxe)) {
            code |= PageFaultError.FETCH;
        }
        if (result == Walker.MALFORMED) {
            code |= PageFaultError.PRESENT | PageFaultError.RESERVED;
        } else if (result == Walker.DENIED) {
            code |= PageFaultError.PRESENT;
            if ((deniedByKey(rights) >>> access & 1) != 0) {
                code |= PageFaultError.KEY;
            }
        }
        return code;
    }

    /** Keys apply to data accesses: PKRU to user-mode addresses, IA32_PKRS to supervisor-mode addresses. */
    private int deniedByKey(long rights) {
        boolean user = (rights & Paging.US) != 0;
        int register = user ? pkru : pkrs;
        if (register == 0) {
            return 0;
        }
        int key = (int) (rights >>> Paging.KEY_SHIFT) & 15;
        boolean accessDisable = (register >>> 2 * key & 1) != 0;
        boolean writeDisable = (register >>> 2 * key & 2) != 0;
        if (accessDisable) {
            return S_READ | AC_READ | U_READ | WRITES;
        }
        return writeDisable ? U_WRITE | (wp ? S_WRITE | AC_WRITE : 0) : 0;
    }
}
