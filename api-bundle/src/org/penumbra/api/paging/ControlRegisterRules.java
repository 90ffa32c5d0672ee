package org.penumbra.api.paging;

import static org.penumbra.api.paging.ControlBits.CR0_PE;
import static org.penumbra.api.paging.ControlBits.CR0_PG;
import static org.penumbra.api.paging.ControlBits.CR3_NO_FLUSH;
import static org.penumbra.api.paging.ControlBits.CR3_PCID;
import static org.penumbra.api.paging.ControlBits.CR4_LA57;
import static org.penumbra.api.paging.ControlBits.CR4_PAE;
import static org.penumbra.api.paging.ControlBits.CR4_PCIDE;
import static org.penumbra.api.paging.ControlBits.CR4_PGE;
import static org.penumbra.api.paging.ControlBits.CR4_PKE;
import static org.penumbra.api.paging.ControlBits.CR4_PKS;
import static org.penumbra.api.paging.ControlBits.CR4_PSE;
import static org.penumbra.api.paging.ControlBits.CR4_SMAP;
import static org.penumbra.api.paging.ControlBits.CR4_SMEP;
import static org.penumbra.api.paging.ControlBits.CR4_VMXE;
import static org.penumbra.api.paging.ControlBits.EFER_LMA;
import static org.penumbra.api.paging.ControlBits.EFER_LME;
import static org.penumbra.api.paging.ControlBits.EFER_NXE;
import static org.penumbra.api.paging.ControlBits.EFER_SVME;

/**
 * Which values MOV to a control register takes, everything else being #GP(0): SDM vol. 2, "MOV—Move to/from Control Registers",
 * and vol. 3, "Control Registers" and "Paging-Mode Enabling".
 */
public final class ControlRegisterRules {
    /** SCE, LME, LMA, NXE. */
    private static final long EFER_DEFINED = 1L | EFER_LME | EFER_LMA | EFER_NXE;
    private static final long CR0_NW = 1L << 29;
    private static final long CR0_CD = 1L << 30;
    /** TSD, DE, MCE, PCE, OSFXSR, OSXMMEXCPT, UMIP, FSGSBASE, OSXSAVE: without influence on paging. */
    private static final long CR4_OTHERS = 0b1100 | 1L << 6 | 1L << 8 | 1L << 9 | 1L << 10 | 1L << 11 | 1L << 16 | 1L << 18;
    private static final long CR4_DEFINED =
            CR4_OTHERS | CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCIDE | CR4_SMEP | CR4_SMAP | CR4_PKE | CR4_PKS | CR4_LA57 | CR4_VMXE;

    private ControlRegisterRules() {}

    /**
     * May CR3 become {@code value}, the operand of MOV to CR3?
     *
     * @param limit one more than the highest physical address
     */
    public static boolean cr3Allowed(long value, long cr4, long limit) {
        long address = (cr4 & CR4_PCIDE) != 0 ? value & ~CR3_NO_FLUSH : value;
        return address >= 0 && address < limit;
    }

    /** May CR0 become {@code value} with these other registers? */
    public static boolean cr0Allowed(long value, long cr4, long efer) {
        boolean paging = (value & CR0_PG) != 0;
        return value >>> 32 == 0
                && (!paging || (value & CR0_PE) != 0)
                && ((value & CR0_NW) == 0 || (value & CR0_CD) != 0)
                && (!paging || (efer & EFER_LME) == 0 || (cr4 & CR4_PAE) != 0)
                && (paging || (cr4 & CR4_PCIDE) == 0);
    }

    /**
     * May CR4 become {@code value}? LA57 cannot change in IA-32e mode; VME, PVI, SMXE and CET stand for features that this processor does
     * not have.
     *
     * @param linearAddressBits 48, or 57 of a processor with 5-level paging
     */
    public static boolean cr4Allowed(long value, long oldCr4, long cr3, long efer, int linearAddressBits) {
        boolean longMode = (efer & EFER_LMA) != 0;
        boolean setsPcide = (value & ~oldCr4 & CR4_PCIDE) != 0;
        return (value & ~CR4_DEFINED) == 0
                && la57Allowed(value, linearAddressBits)
                && (!longMode || (value & CR4_PAE) != 0 && ((value ^ oldCr4) & CR4_LA57) == 0)
                && (!setsPcide || longMode && (cr3 & CR3_PCID) == 0);
    }

    /** May CR4 be {@code cr4} on a processor with so many linear-address bits? LA57 is reserved without 57 (SDM vol. 3, "Control Registers"). */
    public static boolean la57Allowed(long cr4, int linearAddressBits) {
        return (cr4 & CR4_LA57) == 0 || linearAddressBits >= PagingMode.FIVE_LEVEL.linearBits();
    }

    /** May EFER become {@code value}? LME cannot change while paging is on, and LMA is not software's (SDM vol. 3, "Activating IA-32e Mode"). */
    public static boolean eferAllowed(long value, long oldEfer, long cr0) {
        return (value & ~EFER_DEFINED) == 0 && ((cr0 & CR0_PG) == 0 || ((value ^ oldEfer) & EFER_LME) == 0);
    }

    /** The same of a processor with SVM, where SVME is defined (APM vol. 2, "Extended Feature Enable Register (EFER)"). */
    public static boolean eferAllowedWithSvm(long value, long oldEfer, long cr0) {
        return eferAllowed(value & ~EFER_SVME, oldEfer & ~EFER_SVME, cr0);
    }

    /**
     * Does a MOV to CR0 or CR4 that changes {@code oldCr0} and {@code oldCr4} into {@code cr0} and {@code cr4} load the PDPTE
     * registers? A MOV to CR3 does whenever PAE paging is on (SDM vol. 3, "PDPTE Registers").
     */
    public static boolean loadsPdptes(long oldCr0, long oldCr4, long cr0, long cr4, long efer) {
        boolean changed = ((oldCr0 ^ cr0) & (CR0_CD | CR0_NW | CR0_PG)) != 0
                || ((oldCr4 ^ cr4) & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP)) != 0;
        return changed && PagingMode.of(cr0, cr4, efer) == PagingMode.PAE;
    }

    /**
     * May INVPCID of {@code type} be executed with {@code pcid} and {@code gva} in its descriptor? If not, it is #GP(0) (SDM vol. 2,
     * "INVPCID—Invalidate Process-Context Identifier").
     */
    public static boolean invpcidAllowed(int type, long pcid, long gva, long cr4, PagingMode mode) {
        boolean names = type == 0 || type == 1;
        return type >= 0 && type <= 3
                && (pcid & ~CR3_PCID) == 0
                && !(names && pcid != 0 && (cr4 & CR4_PCIDE) == 0)
                && !(type == 0 && mode.isLong() && !mode.holds(gva));
    }

    /** EFER after CR0 became {@code cr0}: LMA follows PG while LME = 1. */
    public static long efer(long cr0, long efer) {
        return (cr0 & CR0_PG) != 0 && (efer & EFER_LME) != 0 ? efer | EFER_LMA : efer & ~EFER_LMA;
    }
}
