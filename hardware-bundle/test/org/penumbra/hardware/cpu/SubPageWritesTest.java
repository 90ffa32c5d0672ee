package org.penumbra.hardware.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.penumbra.api.cpu.MemoryPort;
import org.penumbra.api.cpu.Outcome;
import org.penumbra.api.cpu.Processor;
import org.penumbra.api.cpu.UpdateFunction;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.api.vmx.Vmcs;

/** SDM vol. 3, "Sub-Page Write Permissions", and "VM-Execution Control Fields" of "Checks on VMX Controls". */
class SubPageWritesTest {
    private static final long GVA = 0x40_0060_3000L;
    private static final long GPA = 0x5000;
    private static final long SPP = 1L << 61;
    private static final long RX = 5;
    /** Data write to the final address, readable and executable, of a user-mode linear address that may be written. */
    private static final long VIOLATION = 2 | 5 << 3 | 0x180 | 3 << 9;

    private Rig rig;
    private long root;
    private long top;

    @BeforeEach
    void machine() {
        rig = new Rig();
        root = rig.longMode();
        for (int page = 0; page < 2; page++) {
            rig.map(root, GVA + 0x1000L * page, GPA + 0x1000L * page, Rig.P | Rig.W | Rig.U | Rig.A | Rig.D);
        }
        top = rig.ept(0);
        rig.eptIdentity(top, 4 << 20, 1);
        rig.vmcs.vpid = 7;
        rig.vmcs.subPageWrites = true;
        rig.vmcs.spptp = rig.frame();
        protect(GPA);
    }

    private void protect(long gpa) {
        rig.eptMap(top, gpa, gpa, RX | Rig.EPT_WB | SPP);
    }

    /** The entry of {@code level} for {@code gpa} in the sub-page permission table, tables on the way made. */
    private long slot(long gpa, int level) {
        long table = rig.vmcs.spptp;
        for (int l = 4; ; l--) {
            long slot = table + (gpa >>> 12 + 9 * (l - 1) & 511) * 8;
            if (l == level) {
                return slot;
            }
            if (rig.memory.load64(slot) == 0) {
                rig.memory.store64(slot, rig.frame() | 1);
            }
            table = rig.memory.load64(slot) & Rig.ADDRESS;
        }
    }

    /** Permits writes to these sub-pages of the page at {@code gpa} alone. */
    private void permit(long gpa, int... subPages) {
        long vector = 0;
        for (int s : subPages) {
            vector |= 1L << 2 * s;
        }
        rig.memory.store64(slot(gpa, 1), vector);
    }

    private void expectViolation(long gva, long gpa) {
        assertThat(rig.use(gva, Rig.UW)).isEqualTo(Processor.EXIT);
        expectExit(ExitReason.EPT_VIOLATION, VIOLATION, gva, gpa);
        rig.enter();
    }

    private void expectExit(ExitReason reason, long qualification, long gva, long gpa) {
        assertThat(ExitReason.of(rig.cpu.exit().reason)).isEqualTo(reason);
        assertThat(rig.cpu.exit().qualification).as("exit qualification").isEqualTo(qualification);
        assertThat(rig.cpu.exit().guestLinear).isEqualTo(gva);
        assertThat(rig.cpu.exit().guestPhysical).isEqualTo(gpa);
    }

    @Test
    @DisplayName("E14 bit 2i of the vector permits writes to bytes 128 i to 128 i + 127; the others are EPT violations, and reads need none")
    void eachSubPage() {
        permit(GPA, 0, 3, 31);
        rig.enter();
        for (int s = 0; s < 32; s++) {
            for (int at : new int[] {128 * s, 128 * s + 127}) {
                assertThat(rig.use(GVA + at, Rig.UR)).isEqualTo(GPA + at);
                if (s == 0 || s == 3 || s == 31) {
                    assertThat(rig.use(GVA + at, Rig.UW)).as("sub-page %d", s).isEqualTo(GPA + at);
                } else {
                    expectViolation(GVA + at, GPA + at);
                }
            }
        }
    }

    @Test
    @DisplayName("E14 what was permitted for one sub-page is not kept as a right to write the page")
    void notTheWholePage() {
        permit(GPA, 0);
        rig.enter();
        assertThat(rig.use(GVA, Rig.UW)).isEqualTo(GPA);
        assertThat(rig.cpu.dataTlb().lookup(GVA, Rig.UW)).isNegative();
        assertThat(rig.cpu.dataTlb().lookup(GVA + 128, Rig.UR)).isEqualTo(GPA + 128);
        expectViolation(GVA + 128, GPA + 128);
    }

    @ParameterizedTest(name = "E14 an entry of level {0} that is not valid is an SPPT miss: exit 66 with bit 11 and both addresses")
    @ValueSource(ints = {4, 3, 2})
    void miss(int level) {
        permit(GPA, 0);
        rig.memory.store64(slot(GPA, level), rig.memory.load64(slot(GPA, level)) & ~1L);
        rig.enter();
        assertThat(rig.use(GVA + 0x78, Rig.UW)).isEqualTo(Processor.EXIT);
        assertThat(rig.cpu.exit().reason).isEqualTo(66);
        expectExit(ExitReason.SPP_EVENT, 1 << 11, GVA + 0x78, GPA + 0x78);
        rig.memory.store64(slot(GPA, level), rig.memory.load64(slot(GPA, level)) | 1);
        rig.enter();
        assertThat(rig.use(GVA + 0x78, Rig.UW)).as("nothing of the miss is cached").isEqualTo(GPA + 0x78);
    }

    @ParameterizedTest(name = "E14 bit {1} of an entry of level {0} is reserved: an SPPT misconfiguration, exit 66 without bit 11")
    @CsvSource({"4, 1", "4, 11", "4, 46", "4, 63", "3, 2", "3, 52", "2, 7", "2, 62", "1, 1", "1, 63"})
    void misconfiguration(int level, int bit) {
        permit(GPA, 0);
        rig.memory.store64(slot(GPA, level), rig.memory.load64(slot(GPA, level)) | 1L << bit);
        rig.enter();
        assertThat(rig.use(GVA, Rig.UW)).isEqualTo(Processor.EXIT);
        expectExit(ExitReason.SPP_EVENT, 0, GVA, GPA);
    }

    @Test
    @DisplayName("E14 without the control bit 61 means nothing: a write that the EPT PTE refuses is an EPT violation")
    void withoutControl() {
        permit(GPA, 0);
        rig.vmcs.subPageWrites = false;
        rig.enter();
        expectViolation(GVA, GPA);
    }

    @Test
    @DisplayName("E14 without bit 61 of the EPT PTE the table is not read")
    void withoutBit() {
        permit(GPA, 0);
        rig.eptMap(top, GPA, GPA, RX | Rig.EPT_WB);
        rig.enter();
        expectViolation(GVA, GPA);
    }

    @Test
    @DisplayName("E14 an EPT PTE that permits writes permits all of them, whatever the table says")
    void writable() {
        permit(GPA);
        rig.eptMap(top, GPA, GPA, 7 | Rig.EPT_WB | SPP);
        rig.enter();
        assertThat(rig.use(GVA, Rig.UW)).isEqualTo(GPA);
    }

    @Test
    @DisplayName("E14 only 4 KiB pages have sub-page permissions: bit 61 of a PDE that maps a page means nothing")
    void largePage() {
        long gpa = 0x40_0000;
        rig.map(root, GVA, gpa, Rig.P | Rig.W | Rig.U | Rig.A | Rig.D);
        rig.memory.store64(rig.eptSlot(top, gpa, 2), gpa | RX | Rig.EPT_WB | Rig.EPT_PAGE | SPP);
        permit(gpa, 0);
        rig.enter();
        expectViolation(GVA, gpa);
    }

    @ParameterizedTest(name = "E14 a write that an entry of level {0} refuses as well is not eligible")
    @ValueSource(ints = {2, 3, 4})
    void refusedAbove(int level) {
        long gpa = 0x80_4000_0000L;
        rig.map(root, GVA, gpa, Rig.P | Rig.W | Rig.U | Rig.A | Rig.D);
        rig.eptMap(top, gpa, 0x6000, RX | Rig.EPT_WB | SPP);
        permit(gpa, 0);
        rig.enter();
        assertThat(rig.use(GVA, Rig.UW)).isEqualTo(0x6000);
        long slot = rig.eptSlot(top, gpa, level);
        rig.memory.store64(slot, rig.memory.load64(slot) & ~2L);
        rig.cpu.inveptAll();
        expectViolation(GVA, gpa);
    }

    @Test
    @DisplayName("E14 the processor's own writes to guest tables are not eligible: an accessed flag there is an EPT violation")
    void guestTables() {
        long table = rig.slot(root, GVA, 1) & -4096L;
        rig.map(root, GVA, GPA, Rig.P | Rig.W | Rig.U);
        rig.eptMap(top, table, table, RX | Rig.EPT_WB | SPP);
        permit(table, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31);
        rig.enter();
        assertThat(rig.use(GVA, Rig.UR)).isEqualTo(Processor.EXIT);
        assertThat(ExitReason.of(rig.cpu.exit().reason)).isEqualTo(ExitReason.EPT_VIOLATION);
        assertThat(rig.cpu.exit().guestPhysical & -4096L).isEqualTo(table);
    }

    @Test
    @DisplayName("E14 E05 E06 a write to a permitted sub-page sets the accessed and dirty flags for EPT and is logged")
    void flags() {
        rig.vmcs.eptp |= 1 << 6;
        rig.vmcs.enablePml = true;
        rig.vmcs.pmlAddress = 0x8_0000;
        rig.vmcs.pmlIndex = Vmcs.PML_ENTRIES - 1;
        permit(GPA, 1);
        rig.enter();
        expectViolation(GVA, GPA);
        long slot = rig.eptSlot(top, GPA, 1);
        assertThat(rig.memory.load64(slot) & 1 << 9).isZero();
        int index = rig.vmcs.pmlIndex;
        assertThat(rig.use(GVA + 128, Rig.UW)).isEqualTo(GPA + 128);
        assertThat(rig.memory.load64(slot) & 3 << 8).isEqualTo(3 << 8);
        assertThat(rig.memory.load64(0x8_0000 + 8L * index)).isEqualTo(GPA);
        rig.vmcs.pmlIndex = 0xffff;
        rig.memory.store64(slot, rig.memory.load64(slot) & ~(1L << 9));
        rig.cpu.inveptAll();
        assertThat(rig.use(GVA + 128, Rig.UW)).isEqualTo(Processor.EXIT);
        assertThat(ExitReason.of(rig.cpu.exit().reason)).isEqualTo(ExitReason.PML_FULL);
    }

    @Test
    @DisplayName("E14 a vector is cached until INVEPT; an EPT violation drops what is cached for the address")
    void caching() {
        permit(GPA, 0, 1);
        rig.enter();
        assertThat(rig.use(GVA, Rig.UW)).isEqualTo(GPA);
        permit(GPA, 2);
        assertThat(rig.use(GVA + 128, Rig.UW)).as("the vector of before").isEqualTo(GPA + 128);
        rig.cpu.inveptContext(rig.vmcs.eptp);
        expectViolation(GVA + 128, GPA + 128);
        permit(GPA, 1);
        assertThat(rig.use(GVA + 128, Rig.UW)).as("the violation dropped it").isEqualTo(GPA + 128);
    }

    @Test
    @DisplayName("E14 a walk for a sub-page reads the four levels of the table once, and nothing while the vector is cached")
    void references() {
        permit(GPA, 0);
        rig.enter();
        rig.use(GVA, Rig.UR);
        long before = rig.cpu.statistics().hostReferences();
        rig.use(GVA, Rig.UW);
        long first = rig.cpu.statistics().hostReferences() - before;
        rig.use(GVA, Rig.UW);
        assertThat(rig.cpu.statistics().hostReferences() - before).isEqualTo(2 * first - 4);
    }

    @ParameterizedTest(name = "E14 a write of {1} bytes at 0x{0} needs sub-pages 0 and 1 of both pages where it touches them: {2}")
    @CsvSource({"78, 8, true", "7c, 8, true", "f8, 8, true", "fc, 8, false", "0, 256, true", "0, 257, false", "ffc, 8, false", "1000, 8, true",
        "1fc, 4, false"})
    void spanning(String offset, int width, boolean permitted) {
        protect(GPA + 0x1000);
        permit(GPA, 0, 1);
        permit(GPA + 0x1000, 0, 1);
        rig.enter();
        MemoryPort port = new MemoryPort(rig.cpu, 0);
        long at = Long.parseLong(offset, 16);
        assertThat(port.store(GVA + at, width, 0x0101_0101_0101_0101L, Rig.UW)).isEqualTo(permitted ? Outcome.DONE : Outcome.EXIT);
        for (int i = 0; i < width; i++) {
            assertThat(rig.memory.load(GPA + at + i, 1)).as("byte %d", i).isEqualTo(permitted ? 1 : 0);
        }
    }

    @Test
    @DisplayName("E14 a write over two sub-pages of which the second is not permitted is an EPT violation at its first byte there, with nothing written")
    void secondSubPage() {
        permit(GPA, 0);
        rig.enter();
        MemoryPort port = new MemoryPort(rig.cpu, 0);
        assertThat(port.update(GVA + 0x7c, 8, UpdateFunction.ADD, 1, Rig.UW)).isEqualTo(Outcome.EXIT);
        expectExit(ExitReason.EPT_VIOLATION, VIOLATION, GVA + 0x80, GPA + 0x80);
        assertThat(rig.memory.load64(GPA + 0x78)).isZero();
        rig.enter();
        assertThat(port.store(GVA + 0xffc, 8, -1, Rig.UW)).as("over the end of the page, which refuses").isEqualTo(Outcome.EXIT);
        assertThat(rig.memory.load64(GPA + 0x1000)).isZero();
    }

    @Test
    @DisplayName("E14 E12 a refused sub-page is a #VE where an EPT violation would be one; an SPPT miss never is")
    void virtualizationException() {
        permit(GPA, 0);
        rig.vmcs.eptViolationVe = true;
        rig.vmcs.veInformationAddress = 0x9_0000;
        rig.enter();
        assertThat(rig.use(GVA + 128, Rig.UW)).isEqualTo(Processor.FAULT);
        assertThat(rig.cpu.exception().vector).isEqualTo(20);
        rig.memory.store64(0x9_0000, 0);
        rig.memory.store64(slot(GPA, 3), 0);
        rig.cpu.inveptAll();
        assertThat(rig.use(GVA + 128, Rig.UW)).isEqualTo(Processor.EXIT);
        expectExit(ExitReason.SPP_EVENT, 1 << 11, GVA + 128, GPA + 128);
    }

    @Test
    @DisplayName("E14 VM entry wants EPT, and an SPPTP that is a frame within the physical-address width")
    void entryChecks() {
        for (long wrong : new long[] {1, 0x800, 1L << 46}) {
            rig.vmcs.spptp |= wrong;
            assertThatThrownBy(rig::enter).isInstanceOf(IllegalStateException.class).hasMessageContaining("sub-page permission table");
            rig.vmcs.spptp &= ~wrong;
        }
        rig.vmcs.enableEpt = false;
        assertThatThrownBy(rig::enter).isInstanceOf(IllegalStateException.class).hasMessageContaining("sub-page permission table");
    }
}
