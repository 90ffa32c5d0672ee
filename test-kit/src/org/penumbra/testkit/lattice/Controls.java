package org.penumbra.testkit.lattice;

import static org.penumbra.api.paging.ControlBits.*;

import java.util.ArrayList;
import java.util.List;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.Pdptes;

/**
 * The settings of the registers that rights depend on: every combination of CR0.WP, EFER.NXE, CR4.SMEP, SMAP, PKE and PKS, under 32-bit
 * paging also of CR4.PSE, and two values of PKRU and IA32_PKRS in turn. Numbered so that neighbours differ in one bit; number 0, with
 * which the guest boots, has WP, NXE and PSE set and the rest clear. Immutable.
 */
final class Controls {
    /** Rights by key, two bits each (bit 0: no access, bit 1: no write), of {@link Variants#KEYS}; every other key has none. */
    private static final int[][] USER_KEYS = {{0, 1, 2, 3}, {2, 3, 0, 1}};
    /** Key 0 is that of the window. */
    private static final int[][] SUPERVISOR_KEYS = {{0, 3, 1, 2}, {0, 2, 3, 1}};

    private enum Bit { SMAP, SMEP, WP, NXE, PSE, PKE, PKS }

    private final List<Bit> bits = new ArrayList<>(List.of(Bit.SMAP, Bit.SMEP, Bit.WP, Bit.NXE, Bit.PKE, Bit.PKS));
    private final PagingState[] states;

    Controls(Layout layout) {
        if (layout.mode == PagingMode.BITS_32) {
            bits.add(4, Bit.PSE);
        }
        states = new PagingState[1 << bits.size()];
        for (int i = 0; i < states.length; i++) {
            states[i] = state(layout, i);
        }
    }

    /** How many settings, from number 0 on, have CR4.PKE = 0 and CR4.PKS = 0. */
    int keyless() {
        return states.length / 4;
    }

    int count() {
        return states.length;
    }

    /** The registers of setting {@code i}, as the specification takes them. */
    PagingState state(int i) {
        return states[i];
    }

    private PagingState state(Layout layout, int i) {
        PagingMode mode = layout.mode;
        long cr0 = CR0_PE | (mode == PagingMode.NONE ? 0 : CR0_PG) | (set(i, Bit.WP) ? CR0_WP : 0);
        long cr4 = (set(i, Bit.SMEP) ? CR4_SMEP : 0) | (set(i, Bit.SMAP) ? CR4_SMAP : 0) | (set(i, Bit.PKE) ? CR4_PKE : 0)
                | (set(i, Bit.PKS) ? CR4_PKS : 0) | (bits.contains(Bit.PSE) && set(i, Bit.PSE) ? CR4_PSE : 0)
                | (mode == PagingMode.PAE || mode.isLong() ? CR4_PAE : 0) | (mode == PagingMode.FIVE_LEVEL ? CR4_LA57 : 0);
        long efer = (mode.isLong() ? EFER_LME | EFER_LMA : 0) | (set(i, Bit.NXE) ? EFER_NXE : 0);
        PagingState state = new PagingState(cr0, layout.cr3(), cr4, efer, register(USER_KEYS[i & 1]), register(SUPERVISOR_KEYS[i & 1]));
        if (mode != PagingMode.PAE) {
            return state;
        }
        long[] p = layout.pdptes();
        return state.withPdptes(new Pdptes(p[0], p[1], p[2], p[3]));
    }

    /** WP, NXE and PSE are set where their bit of the number is clear. */
    private boolean set(int i, Bit bit) {
        int gray = i ^ i >> 1;
        boolean one = (gray >> bits.indexOf(bit) & 1) != 0;
        return one != (bit == Bit.WP || bit == Bit.NXE || bit == Bit.PSE);
    }

    private static int register(int[] rights) {
        int value = -1;
        for (int n = 0; n < rights.length; n++) {
            int at = 2 * Variants.KEYS[n];
            value = value & ~(3 << at) | rights[n] << at;
        }
        return value;
    }

    /** "WP 1, NXE 1, …" for people. */
    String describe(int i) {
        StringBuilder s = new StringBuilder();
        for (Bit bit : bits) {
            s.append(s.isEmpty() ? "" : ", ").append(bit).append(set(i, bit) ? " 1" : " 0");
        }
        PagingState state = states[i];
        if (set(i, Bit.PKE)) {
            s.append(String.format(", PKRU 0x%x", state.pkru()));
        }
        if (set(i, Bit.PKS)) {
            s.append(String.format(", PKRS 0x%x", state.pkrs()));
        }
        return s.toString();
    }
}
