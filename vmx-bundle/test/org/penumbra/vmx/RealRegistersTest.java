package org.penumbra.vmx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.penumbra.api.paging.ControlBits.*;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.mmu.ControlDemand;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.Pdptes;
import org.penumbra.api.vmx.Vmcs;

/** What the processor's registers hold for guests in several modes, under a design that forces what shadow paging forces. */
class RealRegistersTest {
    private static final ControlDemand SHADOW =
            new ControlDemand(true, true, true, 0, 0, CR0_PE | CR0_PG | CR0_WP, CR4_PAE, EFER_NXE, 0);

    private final Vmcs vmcs = new Vmcs();

    private PagingMode real(PagingState guest, ControlDemand demand) {
        RealRegisters.load(vmcs, guest, demand);
        assertThat(vmcs.cr0ReadShadow).isEqualTo(guest.cr0());
        assertThat(vmcs.cr4ReadShadow).isEqualTo(guest.cr4());
        return PagingMode.of(vmcs.guestCr0, vmcs.guestCr4, vmcs.guestEfer);
    }

    @Test
    @DisplayName("T02 S04 a 32-bit guest runs in PAE paging and sees what it wrote")
    void bits32() {
        assertThat(real(new PagingState(CR0_PE | CR0_PG, 0, CR4_PSE | CR4_SMEP, 0, 0, 0), SHADOW)).isEqualTo(PagingMode.PAE);
        assertThat(vmcs.guestCr0 & CR0_WP).isEqualTo(CR0_WP);
        assertThat(vmcs.guestCr4).isEqualTo(CR4_PSE | CR4_SMEP | CR4_PAE);
        assertThat(vmcs.guestEfer).isEqualTo(EFER_NXE);
    }

    @Test
    @DisplayName("S05 a guest without paging runs in PAE paging, on its way into IA-32e mode too, and without SMEP and SMAP")
    void unpaged() {
        PagingState guest = new PagingState(CR0_PE, 0, CR4_PAE | CR4_SMEP | CR4_SMAP | CR4_PGE, EFER_LME, 0, 0);
        assertThat(real(guest, SHADOW)).isEqualTo(PagingMode.PAE);
        assertThat(vmcs.guestCr4).isEqualTo(CR4_PAE | CR4_PGE);
        assertThat(vmcs.guestEfer).as("VM entry refuses LME without LMA").isEqualTo(EFER_NXE);
    }

    @Test
    @DisplayName("T03 T05 guests in IA-32e mode keep their mode; a design that forces nothing changes nothing, PDPTEs included")
    void others() {
        PagingState five = PagingState.longMode(0).withCr4(CR4_PAE | CR4_LA57);
        assertThat(real(five, SHADOW)).isEqualTo(PagingMode.FIVE_LEVEL);
        PagingState unpaged = new PagingState(CR0_PE, 0, CR4_SMEP, EFER_LME, 0, 0);
        assertThat(real(unpaged, ControlDemand.NONE)).isEqualTo(PagingMode.NONE);
        assertThat(vmcs.guestCr4).isEqualTo(CR4_SMEP);
        assertThat(vmcs.guestEfer).isEqualTo(EFER_LME);
        Pdptes pdptes = new Pdptes(1, 2, 3, 4);
        real(new PagingState(CR0_PE | CR0_PG, 0, CR4_PAE, 0, 0, 0).withPdptes(pdptes), ControlDemand.NONE);
        assertThat(vmcs.guestPdptes).isEqualTo(pdptes);
    }
}
