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
 * @param register CR3, or EPTP
 * @param pcid 0 without PCIDs
 * @param deprivileged the guest runs without VMX
 */
record GuestRoot(GuestFormat format, int mode, long register, boolean pcide, int pcid, Pdptes pdptes, boolean deprivileged) {
    /** Of the page tables of a guest in {@code state}, whose roles have the mode bits {@code mode}. */
    static GuestRoot of(PagingState state, int mode, boolean deprivileged) {
        return new GuestRoot(
                GuestFormat.of(state), mode, state.cr3(), state.has4(ControlBits.CR4_PCIDE), state.pcid(), state.pdptes(), deprivileged);
    }

    /** Of the EPT tables that a guest hypervisor names by {@code eptp}. */
    static GuestRoot ofEpt(long eptp) {
        return new GuestRoot(GuestFormat.ofEpt(eptp), Role.eptMode(eptp), eptp, false, 0, Pdptes.NONE, false);
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

    /** What the processor is given whose tables begin at {@code top}. EPT has flags if the guest hypervisor's has. */
    TranslationRoot root(long top) {
        if (!format.isEpt()) {
            return new TranslationRoot.OneDimensional(top | pcid, deprivileged);
        }
        return TranslationRoot.TwoDimensional.of(top, format.levels(), (register & GuestFormat.EPTP_FLAGS) != 0);
    }
}
