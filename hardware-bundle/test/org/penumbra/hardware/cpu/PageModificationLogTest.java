package org.penumbra.hardware.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.cpu.Processor;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.api.vmx.Vmcs;

/** SDM vol. 3, "Page-Modification Logging" and "VM-Execution Control Fields" of "Checks on VMX Controls". */
class PageModificationLogTest {
    private static final long GVA = 0x40_0060_3000L;
    private static final long GPA = 0x5000;
    private static final long LOG = 0x8_0000;

    private Rig rig;
    private long root;
    private long top;

    @BeforeEach
    void machine() {
        rig = new Rig();
        root = rig.longMode();
        rig.map(root, GVA, GPA, Rig.P | Rig.W | Rig.U | Rig.A | Rig.D);
        top = rig.ept(1 << 6);
        rig.eptIdentity(top, 16 << 20, 1);
        rig.vmcs.vpid = 7;
        rig.vmcs.enablePml = true;
        rig.vmcs.pmlAddress = LOG;
        rig.vmcs.pmlIndex = Vmcs.PML_ENTRIES - 1;
    }

    private long logged(int i) {
        return rig.memory.load64(LOG + 8L * i);
    }

    /** Has the guest's tables written before, so that what follows logs the access alone. */
    private void read() {
        rig.enter();
        assertThat(rig.use(GVA, Rig.SR)).isEqualTo(GPA);
    }

    private boolean dirty(long gpa) {
        return (rig.memory.load64(rig.eptSlot(top, gpa, 1)) & 1 << 9) != 0;
    }

    @Test
    @DisplayName("E06 a write that sets a dirty flag for EPT logs its address, bits 11:0 clear, and counts the index down; a second write logs nothing")
    void write() {
        read();
        int index = rig.vmcs.pmlIndex;
        assertThat(rig.use(GVA + 0x328, Rig.SW)).isEqualTo(GPA + 0x328);
        assertThat(rig.vmcs.pmlIndex).isEqualTo(index - 1);
        assertThat(logged(index)).isEqualTo(GPA);
        rig.cpu.invlpg(GVA);
        rig.use(GVA, Rig.SW);
        assertThat(rig.vmcs.pmlIndex).isEqualTo(index - 1);
    }

    @Test
    @DisplayName("E06 the walk of the guest's tables is logged too: with accessed and dirty flags for EPT it counts as writes")
    void tables() {
        read();
        assertThat(rig.vmcs.pmlIndex).as("four tables").isEqualTo(Vmcs.PML_ENTRIES - 1 - 4);
        assertThat(logged(511)).isEqualTo(root);
    }

    @Test
    @DisplayName("E06 a write inside a large page logs the 4 KiB that were written")
    void large() {
        rig.map(root, GVA, 0x20_7000, Rig.P | Rig.W | Rig.U | Rig.A | Rig.D);
        rig.memory.store64(rig.eptSlot(top, 0x20_7000, 2), 0x20_0000 | Rig.EPT_RWX | Rig.EPT_WB | Rig.EPT_PAGE);
        rig.enter();
        rig.use(GVA + 8, Rig.SW);
        assertThat(logged(rig.vmcs.pmlIndex + 1)).isEqualTo(0x20_7000);
    }

    @Test
    @DisplayName("E06 with the index beyond 511 the write that would set a flag exits: the flag is not set, nothing is logged, and the write is not made")
    void full() {
        read();
        rig.vmcs.pmlIndex = 0;
        rig.map(root, GVA + 0x1000, 0x6000, Rig.P | Rig.W | Rig.U | Rig.A | Rig.D);
        rig.use(GVA, Rig.SW);
        assertThat(rig.vmcs.pmlIndex).as("a field of 16 bits").isEqualTo(0xffff);
        assertThat(logged(0)).isEqualTo(GPA);
        assertThat(rig.use(GVA + 0x1000, Rig.SW)).isEqualTo(Processor.EXIT);
        assertThat(ExitReason.of(rig.cpu.exit().reason)).isEqualTo(ExitReason.PML_FULL);
        assertThat(rig.cpu.exit().qualification).isZero();
        assertThat(dirty(0x6000)).isFalse();
        rig.vmcs.pmlIndex = Vmcs.PML_ENTRIES - 1;
        rig.enter();
        assertThat(rig.use(GVA + 0x1000, Rig.SW)).isEqualTo(0x6000);
        assertThat(dirty(0x6000)).isTrue();
        assertThat(logged(511)).isEqualTo(0x6000);
    }

    @Test
    @DisplayName("E06 a full log stops an access that sets an accessed flag alone, and none that sets no flag")
    void fullAndClean() {
        read();
        rig.vmcs.pmlIndex = 0xffff;
        rig.cpu.invlpg(GVA);
        assertThat(rig.use(GVA, Rig.SR)).isEqualTo(GPA);
        rig.map(root, GVA + 0x1000, 0x6000, Rig.P | Rig.W | Rig.U | Rig.A | Rig.D);
        assertThat(rig.use(GVA + 0x1000, Rig.SR)).isEqualTo(Processor.EXIT);
        assertThat(ExitReason.of(rig.cpu.exit().reason)).isEqualTo(ExitReason.PML_FULL);
        assertThat(rig.memory.load64(rig.eptSlot(top, 0x6000, 1)) & 1 << 8).isZero();
    }

    @Test
    @DisplayName("E06 a write that sets an accessed flag where the dirty flag was set logs nothing")
    void dirtyAlready() {
        read();
        int index = rig.vmcs.pmlIndex;
        rig.map(root, GVA + 0x1000, 0x6000, Rig.P | Rig.W | Rig.U | Rig.A | Rig.D);
        long slot = rig.eptSlot(top, 0x6000, 1);
        rig.memory.store64(slot, rig.memory.load64(slot) | 1 << 9);
        assertThat(rig.use(GVA + 0x1000, Rig.SW)).isEqualTo(0x6000);
        assertThat(rig.memory.load64(slot) & 3 << 8).isEqualTo(3 << 8);
        assertThat(rig.vmcs.pmlIndex).isEqualTo(index);
    }

    @Test
    @DisplayName("E06 VM entry wants EPT, and an address of a whole frame")
    void entry() {
        rig.vmcs.pmlAddress = LOG + 8;
        assertThatThrownBy(rig::enter).isInstanceOf(IllegalStateException.class).hasMessageContaining("page-modification log");
        rig.vmcs.pmlAddress = 1L << 45;
        assertThatThrownBy(rig::enter).isInstanceOf(IllegalStateException.class);
    }
}
