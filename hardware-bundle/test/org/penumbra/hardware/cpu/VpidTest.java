package org.penumbra.hardware.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;
import static org.penumbra.api.paging.ControlBits.CR4_PCIDE;
import static org.penumbra.api.paging.ControlBits.CR4_PGE;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** What a VPID keeps apart and what drops it: SDM vol. 3, "VM Entries and Caching of Translation Information". */
class VpidTest {
    private static final long X = 0x40_0000_0000L;

    private Rig rig;
    private long root;

    TestProfile profile() {
        return new TestProfile();
    }

    @BeforeEach
    void machine() {
        rig = new Rig(profile());
        root = rig.longMode();
        rig.map(root, X, 0x5000, Rig.P | Rig.W);
        rig.vmcs.vpid = 7;
    }

    @Test
    @DisplayName("T11 without VPID entry and exit drop VPID 0; with VPID both keep its translations")
    void vpid() {
        for (int vpid : new int[] {7, 0}) {
            rig.vmcs.vpid = vpid;
            rig.cpu.invvpidContext(vpid);
            rig.map(root, X, 0x5000, Rig.P);
            rig.enter();
            rig.use(X, Rig.SR);
            rig.map(root, X, 0x6000, Rig.P);
            rig.cpu.vmcall();
            rig.enter();
            assertThat(rig.use(X, Rig.SR)).as("VPID %d", vpid).isEqualTo(vpid == 0 ? 0x6000 : 0x5000);
            rig.cpu.vmcall();
        }
    }

    @Test
    @DisplayName("T11 entry alone, and exit alone, drop VPID 0 without VPID; with VPID neither touches VPID 0")
    void vpidZero() {
        assumeTrue(profile().modelsTlbs(), "in root operation the first level answers nothing, and there is no second");
        rig.vmcs.vpid = 0;
        rig.use(X, Rig.SR);
        rig.map(root, X, 0x6000, Rig.P);
        assertThat(rig.use(X, Rig.SR)).as("root operation uses VPID 0").isEqualTo(0x5000);
        rig.enter();
        assertThat(rig.use(X, Rig.SR)).as("dropped by the entry").isEqualTo(0x6000);
        rig.map(root, X, 0x7000, Rig.P);
        rig.cpu.vmcall();
        assertThat(rig.use(X, Rig.SR)).as("dropped by the exit").isEqualTo(0x7000);
        rig.map(root, X, 0x8000, Rig.P);
        rig.vmcs.vpid = 7;
        rig.enter();
        assertThat(rig.use(X, Rig.SR)).isEqualTo(0x8000);
        rig.cpu.vmcall();
        assertThat(rig.use(X, Rig.SR)).as("kept over entry and exit with VPID").isEqualTo(0x7000);
    }

    @Test
    @DisplayName("T11 INVVPID type 0 drops the paging-structure-cache entries used for its address, and no other's")
    void invvpidStructures() {
        assumeTrue(profile().modelsTlbs(), "there are no paging-structure caches");
        long far = 0x60_0000_0000L;
        rig.enter();
        for (long gva : new long[] {X, far}) {
            rig.map(root, gva, 0x5000, Rig.P);
            rig.map(root, gva + 0x1000, 0x5000, Rig.P);
            rig.use(gva, Rig.SR);
            long table = rig.frame();
            rig.memory.store64(table + 8, 0x6000 | Rig.P);
            rig.memory.store64(rig.slot(root, gva, 2), table | Rig.P | Rig.W | Rig.U);
        }
        rig.cpu.invvpidAddress(7, X);
        assertThat(rig.use(X + 0x1000, Rig.SR)).isEqualTo(0x6000);
        assertThat(rig.use(far + 0x1000, Rig.SR)).as("stale PDE-cache entry").isEqualTo(0x5000);
    }

    @Test
    @DisplayName("T09 translations of different VPIDs do not meet, global ones neither")
    void vpidsApart() {
        rig.cr4(CR4_PGE);
        rig.map(root, X, 0x5000, Rig.P | Rig.G);
        rig.enter();
        rig.use(X, Rig.SR);
        rig.cpu.vmcall();
        rig.map(root, X, 0x6000, Rig.P | Rig.G);
        rig.vmcs.vpid = 8;
        rig.enter();
        assertThat(rig.use(X, Rig.SR)).isEqualTo(0x6000);
        rig.cpu.vmcall();
        rig.vmcs.vpid = 7;
        rig.enter();
        assertThat(rig.use(X, Rig.SR)).isEqualTo(0x5000);
    }

    @Test
    @DisplayName("T11 INVVPID type 0 drops one address of one VPID for all PCIDs, globals too; type 1 all of the VPID")
    void invvpid() {
        long y = X + 0x1000;
        rig.cr4(CR4_PGE | CR4_PCIDE);
        for (int vpid : new int[] {7, 8}) {
            rig.vmcs.vpid = vpid;
            rig.map(root, X, 0x5000, Rig.P);
            rig.map(root, y, 0x5000, Rig.P | Rig.G);
            for (int pcid = 0; pcid < 2; pcid++) {
                rig.registers.paging = rig.registers.paging.withCr3(root | pcid);
                rig.enter();
                rig.use(X, Rig.SR);
                rig.use(y, Rig.SR);
                rig.cpu.vmcall();
            }
        }
        rig.map(root, X, 0x6000, Rig.P);
        rig.map(root, y, 0x6000, Rig.P | Rig.G);
        rig.cpu.invvpidAddress(7, X);
        assertThat(in(7, 0, X)).isEqualTo(0x6000);
        assertThat(in(7, 1, X)).isEqualTo(0x6000);
        assertThat(in(7, 1, y)).isEqualTo(0x5000);
        assertThat(in(8, 1, X)).isEqualTo(0x5000);
        rig.cpu.invvpidAddress(7, y);
        assertThat(in(7, 0, y)).isEqualTo(0x6000);
        rig.cpu.invvpidContext(8);
        assertThat(in(8, 0, X)).isEqualTo(0x6000);
        assertThat(in(8, 1, X)).isEqualTo(0x6000);
        assertThat(in(8, 1, y)).isEqualTo(0x6000);
    }

    private long in(int vpid, int pcid, long gva) {
        rig.vmcs.vpid = vpid;
        rig.registers.paging = rig.registers.paging.withCr3(root | pcid);
        rig.enter();
        long hpa = rig.use(gva, Rig.SR);
        rig.cpu.vmcall();
        return hpa;
    }

    @Test
    @DisplayName("T11 MOV to CR3 and INVLPG of a guest reach its own VPID only")
    void guestInvalidations() {
        rig.enter();
        rig.use(X, Rig.SR);
        rig.cpu.vmcall();
        rig.map(root, X, 0x6000, Rig.P);
        rig.vmcs.vpid = 8;
        rig.enter();
        rig.cpu.movToCr3(root);
        rig.cpu.invlpg(X);
        rig.cpu.movToCr4(rig.registers.paging.cr4() | CR4_PGE);
        rig.cpu.movToCr4(rig.registers.paging.cr4() & ~CR4_PGE);
        rig.cpu.vmcall();
        assertThat(in(7, 0, X)).isEqualTo(0x5000);
    }
}
