package org.penumbra.hardware.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.cpu.Processor;
import org.penumbra.api.paging.EntryFormat;
import org.penumbra.api.paging.LinearWalker;
import org.penumbra.api.vmx.ExitReason;

/**
 * A processor with tables of a design's own for linear addresses. Their entries are as in 4-level paging; bit 9 leads to a table of the guest,
 * in which flags may be set unless bit 10 is set.
 */
class LinearWalkTest {
    private static final long GVA = Layout.FOUR_LEVEL.address();
    private static final long PAGE = 0x40_0000;
    private static final long GUEST = 1 << 9;
    private static final long KEEP = 1 << 10;
    private static final long RWU = Rig.P | Rig.W | Rig.U;

    private static final class Entries implements LinearWalker {
        @Override
        public EntryFormat format() {
            throw new IllegalStateException("nobody watches");
        }

        @Override
        public void read(int level, long entry, Meaning meaning) {
            if ((entry & Rig.P) == 0) {
                return;
            }
            long hpa = entry & Rig.ADDRESS;
            if ((entry & GUEST) != 0) {
                meaning.guestTable(hpa, entry & (WRITE | USER | EXECUTE_DISABLE), (entry & KEEP) == 0);
            } else if (level == 1 || (entry & Rig.PS) != 0) {
                meaning.page(hpa, entry & (WRITE | USER | GLOBAL | EXECUTE_DISABLE));
            } else {
                meaning.table(hpa);
            }
        }
    }

    private Rig rig;
    /** Top tables of the guest, of EPT and of the design. */
    private long root;
    private long ept;
    private long top;

    @BeforeEach
    void build() {
        build(TestProfile.bare());
    }

    private void build(TestProfile profile) {
        rig = new Rig(profile);
        root = rig.longMode();
        ept = rig.ept(0);
        rig.eptIdentity(ept, 8 << 20, 1);
        top = rig.frame();
        rig.vmcs.linearWalker = new Entries();
        rig.vmcs.linearTable = top;
        rig.vmcs.vpid = 1;
        rig.map(root, GVA, PAGE, RWU);
    }

    /** Has the walk go over to the guest's table of {@code level}, with {@code bits} beside its address. */
    private void switchTo(int level, long bits) {
        long table = rig.entry(root, GVA, level + 1) & Rig.ADDRESS;
        rig.memory.store64(rig.slot(top, GVA, level + 1), table | GUEST | bits);
    }

    private long references() {
        return rig.cpu.statistics().guestReferences() + rig.cpu.statistics().hostReferences();
    }

    private void expectOwed(long gva, int access, int errorCode) {
        assertThat(rig.use(gva, access)).isEqualTo(Processor.EXIT);
        assertThat(rig.cpu.exit().reason).isEqualTo(ExitReason.EXCEPTION_NMI.number());
        assertThat(rig.cpu.exit().vector).isEqualTo(14);
        assertThat(rig.cpu.exit().qualification).isEqualTo(gva);
        assertThat(rig.cpu.exit().errorCode).isEqualTo(errorCode);
        rig.enter();
    }

    @Test
    @DisplayName("P09 a walk in a design's tables alone has 4 references, and 8, 12 and 16 if it goes over to the guest's table of level 1, 2, 3")
    void levels() {
        rig.map(top, GVA, PAGE, RWU);
        rig.enter();
        assertThat(rig.use(GVA, Rig.UR)).isEqualTo(PAGE);
        assertThat(references()).isEqualTo(4);
        for (int level = 1; level <= 3; level++) {
            build(TestProfile.bare());
            switchTo(level, RWU);
            rig.enter();
            assertThat(rig.use(GVA + 8, Rig.UR)).isEqualTo(PAGE + 8);
            assertThat(references()).as("guest table of level %d", level).isEqualTo(4 + 4 * level);
        }
    }

    @Test
    @DisplayName("P09 what a design's tables owe is a page fault that exits without an exception bitmap; what the guest's refuse is the guest's")
    void faults() {
        rig.enter();
        expectOwed(GVA, Rig.UW, 6);
        rig.map(top, GVA, PAGE, Rig.P | Rig.U);
        assertThat(rig.use(GVA, Rig.UR)).isEqualTo(PAGE);
        expectOwed(GVA, Rig.UW, 7);
        rig.memory.store64(rig.slot(top, GVA, 1), PAGE | RWU | GUEST);
        expectOwed(GVA, Rig.UR, 0xd);
        switchTo(1, Rig.P | Rig.U);
        rig.expectFault(GVA, Rig.UW, 7);
        rig.map(root, GVA, 0, 0);
        rig.expectFault(GVA, Rig.UR, 4);
    }

    @Test
    @DisplayName("P09 the second dimension translates what the guest's tables name, and refuses by an EPT violation")
    void secondDimension() {
        switchTo(1, RWU);
        rig.eptMap(ept, PAGE, PAGE + 0x5000, Rig.EPT_RWX | Rig.EPT_WB);
        rig.enter();
        assertThat(rig.use(GVA, Rig.UR)).isEqualTo(PAGE + 0x5000);
        rig.cpu.invlpg(GVA);
        rig.eptMap(ept, PAGE, 0, 0);
        rig.cpu.inveptContext(rig.vmcs.eptp);
        assertThat(rig.use(GVA, Rig.UR)).isEqualTo(Processor.EXIT);
        assertThat(rig.cpu.exit().reason).isEqualTo(ExitReason.EPT_VIOLATION.number());
        assertThat(rig.cpu.exit().guestPhysical).isEqualTo(PAGE);
    }

    @Test
    @DisplayName("P09 accessed and dirty flags are set in the guest's tables that are walked, but not in one where the design forbids it")
    void flags() {
        switchTo(1, RWU | KEEP);
        rig.enter();
        expectOwed(GVA, Rig.UW, 6);
        assertThat(rig.entry(root, GVA, 1) & (Rig.A | Rig.D)).isZero();
        rig.map(root, GVA, PAGE, RWU | Rig.A | Rig.D);
        assertThat(rig.use(GVA, Rig.UW)).isEqualTo(PAGE);
        rig.map(root, GVA, PAGE, RWU);
        rig.cpu.invvpidContext(1);
        switchTo(1, RWU);
        assertThat(rig.use(GVA, Rig.UW)).isEqualTo(PAGE);
        assertThat(rig.entry(root, GVA, 1) & (Rig.A | Rig.D)).isEqualTo(Rig.A | Rig.D);
        assertThat(rig.entry(root, GVA, 2) & Rig.A).as("an entry that was left out").isZero();
    }

    @Test
    @DisplayName("P09 paging-structure caches hold a design's tables and the guest's; INVLPG and INVVPID drop both")
    void caches() {
        build(new TestProfile().withoutEptStructureCaches().array("nested-tlb", 0, 1));
        rig.map(root, GVA + 0x1000, PAGE + 0x1000, RWU);
        rig.map(root, GVA + 0x2000, PAGE + 0x2000, RWU);
        switchTo(1, RWU);
        rig.enter();
        rig.use(GVA, Rig.UR);
        assertThat(references()).isEqualTo(8);
        rig.use(GVA + 0x1000, Rig.UR);
        assertThat(references()).as("from the guest's table on").isEqualTo(8 + 5);
        rig.cpu.invlpg(GVA);
        rig.use(GVA + 0x2000, Rig.UR);
        assertThat(references()).isEqualTo(8 + 5 + 8);
        rig.cpu.invvpidAddress(1, GVA);
        rig.use(GVA, Rig.UR);
        assertThat(references()).isEqualTo(8 + 5 + 8 + 8);
        rig.memory.store64(rig.slot(top, GVA, 2), 0);
        rig.map(top, GVA + 0x1000, PAGE + 0x1000, RWU);
        rig.cpu.invvpidContext(1);
        assertThat(rig.use(GVA + 0x1000, Rig.UR)).isEqualTo(PAGE + 0x1000);
        rig.map(top, GVA + 0x2000, PAGE + 0x2000, RWU);
        long before = references();
        assertThat(rig.use(GVA + 0x2000, Rig.UR)).isEqualTo(PAGE + 0x2000);
        assertThat(references() - before).as("from the design's leaf table on").isEqualTo(1);
    }

    @Test
    @DisplayName("P09 a global page of a design's tables outlives a MOV to CR3, and not an INVVPID")
    void global() {
        rig.cr4(0x80);
        rig.map(top, GVA, PAGE, RWU | Rig.G);
        rig.enter();
        rig.use(GVA, Rig.UR);
        rig.cpu.movToCr3(root);
        long before = rig.walks();
        assertThat(rig.use(GVA, Rig.UR)).isEqualTo(PAGE);
        assertThat(rig.walks()).isEqualTo(before);
        rig.cpu.invvpidContext(1);
        rig.use(GVA, Rig.UR);
        assertThat(rig.walks()).isEqualTo(before + 1);
    }

    @Test
    @DisplayName("P09 outside 4- and 5-level paging the guest's tables are walked alone")
    void otherModes() {
        rig.registers.paging = Layout.BITS_32.state(rig.frame());
        rig.layout = Layout.BITS_32;
        rig.vmcs.unrestrictedGuest = true;
        rig.put(rig.registers.paging.cr3(), 0x8060_3000L, 1, PAGE | RWU);
        rig.enter();
        assertThat(rig.use(0x8060_3000L, Rig.UR)).isEqualTo(PAGE);
    }
}
