package org.penumbra.kit.shadow;

import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.Pdptes;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.kit.GuestFormat;
import org.penumbra.kit.Role;

/**
 * Where a guest's tables begin and how they are read: what a root of shadow pages is made for.
 *
 * @param mode mode bits of a {@link Role}
 * @param register CR3, EPTP or nCR3
 * @param pcid 0 without PCIDs
 */
record GuestRoot(Kind kind, GuestFormat format, int mode, long register, boolean pcide, int pcid, Pdptes pdptes) {
    /** What the tables are: page tables of a guest, of one that runs without VMX, EPT tables or nested tables of a guest hypervisor. */
    enum Kind { PAGES, DEPRIVILEGED_PAGES, EPT, NESTED }

    /** Of the page tables of a guest in {@code state}, whose roles have the mode bits {@code mode}. */
    static GuestRoot of(PagingState state, int mode, boolean deprivileged) {
        return new GuestRoot(deprivileged ? Kind.DEPRIVILEGED_PAGES : Kind.PAGES,
                GuestFormat.of(state), mode, state.cr3(), state.has4(ControlBits.CR4_PCIDE), state.pcid(), state.pdptes());
    }

    /** Of the tables by which a guest hypervisor translates its guest's addresses. */
    static GuestRoot of(TranslationRoot tables12) {
        if (tables12 instanceof TranslationRoot.Nested npt) {
            return new GuestRoot(Kind.NESTED, GuestFormat.of(GuestFormat.hostOf(npt)), Role.nestedMode(npt), npt.nCr3(), false, 0, Pdptes.NONE);
        }
        long eptp = tables12.register();
        return new GuestRoot(Kind.EPT, GuestFormat.ofEpt(eptp), Role.eptMode(eptp), eptp, false, 0, Pdptes.NONE);
    }

    /** Frame of the top table, where there is one. */
    long gfn() {
        return format.gfn(register);
    }

    /** True if a root for this is one for {@code other}. */
    boolean serves(GuestRoot other) {
        if (mode != other.mode) {
            return false;
        }
        switch (format) {
            case NONE:
                return true;
            case PAE:
                return pdptes.equals(other.pdptes);
            default:
                return register == other.register && pcid == other.pcid;
        }
    }

    /** What the processor is given whose tables of {@code levels} begin at {@code top}. EPT has flags if the guest hypervisor's has. */
    TranslationRoot root(long top, int levels) {
        switch (kind) {
            case EPT:
                return TranslationRoot.TwoDimensional.of(top, levels, (register & GuestFormat.EPTP_FLAGS) != 0);
            case NESTED:
                return new TranslationRoot.Nested(top, levels);
            default:
                return new TranslationRoot.OneDimensional(top | pcid, kind == Kind.DEPRIVILEGED_PAGES);
        }
    }
}
