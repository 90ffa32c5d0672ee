package org.penumbra.hardware.tlb;

import static org.penumbra.api.paging.ControlBits.CR4_PSE;

import org.penumbra.api.paging.PagingMode;
import org.penumbra.hardware.walk.Ept;
import org.penumbra.hardware.walk.Format;
import org.penumbra.hardware.walk.Paging;

/** The formats of one processor's tables, by what registers say. Immutable. */
final class Formats {
    /** By number of the paging mode. */
    private final Format[] paging;
    private final Format twoLevelWithoutPse;
    private final Format paeWithPdptes;
    /** By levels − 4 and mode-based execute control. */
    private final Format[][] ept;

    Formats(int maxPhysicalBits) {
        int m = maxPhysicalBits;
        paging = Paging.byMode(m);
        twoLevelWithoutPse = Paging.twoLevel(m, false);
        paeWithPdptes = Paging.paeWithPdptes(m);
        ept = new Format[][] {
            {Ept.format(m, 4, false), Ept.format(m, 4, true)}, {Ept.format(m, 5, false), Ept.format(m, 5, true)},
        };
    }

    /** By number of the paging mode, with every level that may be cached. */
    Format[] widest() {
        Format[] widest = paging.clone();
        widest[PagingMode.PAE.ordinal()] = paeWithPdptes;
        return widest;
    }

    /** Of paging in {@code mode}; {@code pdpteRegisters}: registers hold the PDPTEs of PAE paging, and no walk reads them. */
    Format of(PagingMode mode, long cr4, boolean pdpteRegisters) {
        if (mode == PagingMode.PAE && !pdpteRegisters) {
            return paeWithPdptes;
        }
        return mode == PagingMode.BITS_32 && (cr4 & CR4_PSE) == 0 ? twoLevelWithoutPse : paging[mode.ordinal()];
    }

    /** Of the EPT tables that {@code eptp}, which is an allowed one, refers to. */
    Format ept(long eptp, boolean modeBasedExecute) {
        return ept[(int) (eptp >>> 3 & 7) - 3][modeBasedExecute ? 1 : 0];
    }
}
