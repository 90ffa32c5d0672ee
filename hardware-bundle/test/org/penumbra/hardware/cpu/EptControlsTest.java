package org.penumbra.hardware.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.penumbra.api.cpu.Processor;
import org.penumbra.api.vmx.ExitReason;

/**
 * What the VM-execution controls make of EPT: mode-based execute control, 5 levels, EPTP bit 6, unrestricted guests; and bits 11:7 of
 * the exit qualification. SDM vol. 3, "The Extended Page Table Mechanism (EPT)" and table "Exit Qualification for EPT Violations".
 */
class EptControlsTest {
    private static final long GVA = 0x40_0060_3000L;
    private static final long GPA = 0x5000;
    private static final long XU = 1 << 10;
    private static final int FINAL = 0x180;

    private Rig rig;
    private long root;
    private long top;

    @BeforeEach
    void machine() {
        start(new Rig(), 0, 4);
    }

    private void start(Rig fresh, long flags, int levels) {
        rig = fresh;
        root = rig.longMode();
        rig.map(root, GVA, GPA, Rig.P | Rig.W | Rig.U);
        top = rig.ept(flags, levels);
        rig.vmcs.vpid = 7;
        rig.eptIdentity(top, 4 << 20, 1);
    }

    private void expectViolation(long gva, int access, long gpa, long qualification) {
        assertThat(rig.use(gva, access)).isEqualTo(Processor.EXIT);
        assertThat(ExitReason.of(rig.cpu.exit().reason)).isEqualTo(ExitReason.EPT_VIOLATION);
        assertThat(rig.cpu.exit().guestPhysical).isEqualTo(gpa);
        assertThat(rig.cpu.exit().qualification).as("exit qualification").isEqualTo(qualification);
        rig.enter();
    }

    /** SDM vol. 3, "EPT Violations": bit 2 for supervisor-mode, bit 10 for user-mode linear addresses. */
    @ParameterizedTest(name = "T13 E13 mode-based execute control, entry bits 0x{0}: fetch from a supervisor-mode page {1}, from a user-mode page {2}")
    @CsvSource({"407, true, true", "7, true, false", "403, false, true", "3, false, false", "404, true, true", "4, true, false",
        "400, false, true", "1, false, false"})
    void modeBasedExecute(String bits, boolean supervisor, boolean user) {
        for (boolean userPage : new boolean[] {false, true}) {
            for (int access : new int[] {Rig.SF, Rig.UF}) {
                if (!userPage && access == Rig.UF) {
                    continue;
                }
                start(new Rig(), 0, 4);
                rig.vmcs.modeBasedExecute = true;
                executableTables(0);
                long b = Long.parseLong(bits, 16);
                rig.map(root, GVA, 0x7000_0000L, Rig.P | (userPage ? Rig.U : 0));
                rig.eptMap(top, 0x7000_0000L, 0x6000, b | Rig.EPT_WB);
                executableTables(0x7000_0000L);
                rig.enter();
                if (userPage ? user : supervisor) {
                    assertThat(rig.use(GVA + 1, access)).isEqualTo(0x6001);
                } else {
                    long q = 4 | (b & 7) << 3 | (b & XU) >>> 4 | FINAL | (userPage ? 1 << 9 : 0);
                    expectViolation(GVA + 1, access, 0x7000_0001L, q);
                }
            }
        }
    }

    /** Sets bit 10 in the table entries on the way to {@code gpa}. */
    private void executableTables(long gpa) {
        for (int level = 2; level <= 4; level++) {
            long slot = rig.eptSlot(top, gpa, level);
            rig.memory.store64(slot, rig.memory.load64(slot) | XU);
        }
    }

    @Test
    @DisplayName("T13 E13 without mode-based execute control bit 10 is ignored: it makes nothing present and nothing executable")
    void bit10Ignored() {
        rig.eptMap(top, GPA, 0x6000, 3 | XU | Rig.EPT_WB);
        rig.enter();
        expectViolation(GVA, Rig.UF, GPA, 4 | 3 << 3 | FINAL | 3 << 9);
        rig.eptMap(top, GPA, 0x6000, XU | Rig.EPT_WB);
        rig.cpu.inveptAll();
        expectViolation(GVA, Rig.UF, GPA, 4 | FINAL | 3 << 9);
    }

    @ParameterizedTest(name = "T13 E13 mode-based execute control: bit 10 is combined over the levels, cleared at {0}")
    @ValueSource(ints = {1, 2, 3, 4})
    void everyLevel(int level) {
        rig.vmcs.modeBasedExecute = true;
        long gpa = 0x80_7000_0000L;
        rig.map(root, GVA, gpa, Rig.P | Rig.U);
        rig.eptMap(top, gpa, 0x6000, 7 | XU | Rig.EPT_WB);
        executableTables(gpa);
        long slot = rig.eptSlot(top, gpa, level);
        rig.memory.store64(slot, rig.memory.load64(slot) & ~XU);
        rig.enter();
        expectViolation(GVA, Rig.UF, gpa, 4 | 7 << 3 | FINAL | 1 << 9);
    }

    @Test
    @DisplayName("T13 E13 mode-based execute control: W without R stays a misconfiguration with bit 10 set")
    void modeBasedMisconfiguration() {
        rig.vmcs.modeBasedExecute = true;
        rig.eptMap(top, GPA, 0x6000, 2 | XU | Rig.EPT_WB);
        rig.enter();
        assertThat(rig.use(GVA, Rig.UF)).isEqualTo(Processor.EXIT);
        assertThat(ExitReason.of(rig.cpu.exit().reason)).isEqualTo(ExitReason.EPT_MISCONFIG);
    }

    @Test
    @DisplayName("T13 without guest paging a linear address is a user-mode one that may be written and executed: bits 11:9 = 3")
    void unpagedIsUserMode() {
        rig.registers.paging = rig.registers.paging.withCr0(1).withEfer(0);
        rig.vmcs.unrestrictedGuest = true;
        rig.vmcs.modeBasedExecute = true;
        executableTables(0);
        rig.eptMap(top, GPA, 0x6000, 3 | XU | Rig.EPT_WB);
        rig.eptMap(top, GPA + 0x1000, 0x6000, 7 | Rig.EPT_WB);
        rig.enter();
        assertThat(rig.use(GPA, Rig.SF)).isEqualTo(0x6000);
        expectViolation(GPA + 0x1000, Rig.SF, GPA + 0x1000, 4 | 7 << 3 | FINAL | 3 << 9);
        assertThat(rig.use(GPA + 0x1000, Rig.SR)).isEqualTo(0x6000);
        expectViolation(GPA + 0x1000, Rig.UF, GPA + 0x1000, 4 | 7 << 3 | FINAL | 3 << 9);
    }

    @ParameterizedTest(name = "T13 guest page with bits 0x{0}: bits 11:9 of the qualification are {1}")
    @CsvSource({"1, 0", "5, 1", "3, 2", "7, 3", "8000000000000001, 4", "8000000000000007, 7"})
    void linearRights(String guest, int bits) {
        rig.map(root, GVA, 0x7000_0000L, Long.parseUnsignedLong(guest, 16));
        rig.enter();
        expectViolation(GVA, Rig.SR, 0x7000_0000L, 1 | FINAL | (long) bits << 9);
    }

    @Test
    @DisplayName("T13 bits 11:9 are of the whole path: a right that a table entry takes away is reported so")
    void linearRightsOfPath() {
        rig.map(root, GVA, 0x7000_0000L, Rig.P | Rig.W | Rig.U);
        long slot = rig.slot(root, GVA, 3);
        rig.memory.store64(slot, rig.memory.load64(slot) & ~(Rig.U | Rig.W) | Rig.XD);
        rig.enter();
        expectViolation(GVA, Rig.SR, 0x7000_0000L, 1 | FINAL | 4 << 9);
        rig.efer(0x500);
        rig.memory.store64(slot, rig.memory.load64(slot) & ~Rig.XD);
        rig.cpu.vmcall();
        rig.enter();
        expectViolation(GVA, Rig.SR, 0x7000_0000L, 1 | FINAL);
    }

    @Test
    @DisplayName("T13 5-level EPT: one more reference for each gpa, flags at every level, a violation at level 5")
    void fiveLevels() {
        start(new Rig(TestProfile.bare()), 1 << 6, 5);
        rig.enter();
        assertThat(rig.use(GVA, Rig.SW)).isEqualTo(GPA);
        assertThat(rig.cpu.statistics().guestReferences()).isEqualTo(4);
        assertThat(rig.cpu.statistics().hostReferences()).isEqualTo(5 * 5);
        for (int level = 1; level <= 5; level++) {
            assertThat(rig.memory.load64(rig.eptSlot(top, GPA, level)) & 0x300).as("level %d", level).isEqualTo(level == 1 ? 0x300 : 0x100);
        }
        rig.memory.store64(rig.eptSlot(top, GPA, 5), 0);
        rig.cpu.inveptAll();
        expectViolation(GVA, Rig.SR, root + 8 * (GVA >>> 39), 3 | 0x80);
    }

    @ParameterizedTest(name = "T13 5-level EPT: bits 0x{1} of a level-{0} entry that refers to a table are a misconfiguration")
    @CsvSource({"5, 80", "5, 8", "5, 40", "5, 10000000000", "4, 80", "4, 8"})
    void fiveLevelMisconfiguration(int level, String bits) {
        start(new Rig(), 0, 5);
        long slot = rig.eptSlot(top, GPA, level);
        rig.memory.store64(slot, rig.memory.load64(slot) | Long.parseLong(bits, 16));
        rig.enter();
        assertThat(rig.use(GVA, Rig.SR)).isEqualTo(Processor.EXIT);
        assertThat(ExitReason.of(rig.cpu.exit().reason)).isEqualTo(ExitReason.EPT_MISCONFIG);
    }

    @Test
    @DisplayName("T13 a gpa with bits 51:48 set: a violation without rights under 4 levels, translated under 5")
    void beyondFourLevels() {
        long gpa = 1L << 48 | GPA;
        for (int levels = 4; levels <= 5; levels++) {
            start(new Rig(new TestProfile().set("cpu.maxphyaddr", 52)), 0, levels);
            rig.map(root, GVA, gpa, Rig.P | Rig.W);
            if (levels == 5) {
                rig.eptMap(top, gpa, 0x6000, 7 | Rig.EPT_WB);
            }
            rig.enter();
            if (levels == 4) {
                expectViolation(GVA, Rig.SW, gpa, 2 | FINAL | 2 << 9);
            } else {
                assertThat(rig.use(GVA, Rig.SW)).isEqualTo(0x6000);
                rig.map(root, GVA + 0x1000, GPA, Rig.P);
                assertThat(rig.use(GVA + 0x1000, Rig.SR)).as("bit 48 tells gpas apart").isEqualTo(GPA);
            }
        }
    }

    @ParameterizedTest(name = "T13 a {0} guest on EPT")
    @EnumSource(Layout.class)
    void everyGuest(Layout guest) {
        Rig r = rig = new Rig();
        root = r.paging(guest);
        long gva = guest.address();
        r.put(root, gva, 1, GPA | Rig.P | Rig.W | Rig.U);
        r.put(root, gva + 0x1000, 1, 0x7000_0000L | Rig.P | Rig.W | Rig.U);
        if (guest == Layout.PAE) {
            r.pdptes();
        }
        top = r.ept(1 << 6);
        r.eptIdentity(top, 4 << 20, 1);
        r.eptMap(top, GPA, 0x6000, 7 | Rig.EPT_WB);
        r.enter();
        assertThat(r.use(gva + 5, Rig.UW)).isEqualTo(0x6005);
        assertThat(r.get(root, gva, 1)).isEqualTo(GPA | Rig.P | Rig.W | Rig.U | Rig.A | Rig.D);
        expectViolation(gva + 0x1005, Rig.UW, 0x7000_0005L, 2 | FINAL | 3 << 9);
        long table = r.place(root, gva, 1);
        r.eptMap(top, table & -4096, table & -4096, 1 | Rig.EPT_WB);
        r.cpu.inveptAll();
        expectViolation(gva, Rig.UR, table, 3 | 1 << 3 | 0x80);
    }

    @Test
    @DisplayName("T13 a cached read-only translation of a guest table does not refuse a flag update that EPT allows")
    void updateThroughStaleTranslation() {
        start(new Rig(new TestProfile().withoutStructureCaches()), 0, 4);
        long slot = rig.slot(root, GVA, 1);
        rig.memory.store64(slot, GPA | Rig.P | Rig.W | Rig.U | Rig.A);
        for (int level = 2; level <= 4; level++) {
            long s = rig.slot(root, GVA, level);
            rig.memory.store64(s, rig.memory.load64(s) | Rig.A);
        }
        rig.eptMap(top, slot & -4096, slot & -4096, 1 | Rig.EPT_WB);
        rig.enter();
        assertThat(rig.use(GVA, Rig.SR)).isEqualTo(GPA);
        rig.eptMap(top, slot & -4096, slot & -4096, 7 | Rig.EPT_WB);
        assertThat(rig.use(GVA, Rig.SW)).isEqualTo(GPA);
        assertThat(rig.memory.load64(slot) & Rig.D).isEqualTo(Rig.D);
    }

    @Test
    @DisplayName("T13 flags switched on by EPTP bit 6 with INVEPT are set from then on; switched off, nothing refuses what EPT allows")
    void flagsOnAndOff() {
        rig.enter();
        rig.use(GVA, Rig.SW);
        rig.cpu.vmcall();
        rig.vmcs.eptp |= 1 << 6;
        rig.cpu.inveptContext(rig.vmcs.eptp);
        rig.enter();
        rig.use(GVA, Rig.SR);
        assertThat(rig.memory.load64(rig.eptSlot(top, GPA, 1)) & 0x300).isEqualTo(0x100);
        rig.map(root, GVA + 0x1000, GPA + 0x1000, Rig.P);
        rig.use(GVA + 0x1000, Rig.SR);
        rig.cpu.vmcall();
        rig.vmcs.eptp &= ~(1 << 6);
        // The page at GPA + 0x1000 is cached as not dirty; now it is a guest table.
        long table = GPA + 0x1000;
        rig.memory.store64(table + 8 * (GVA >>> 12 & 511), GPA | Rig.P | Rig.W | Rig.U);
        rig.memory.store64(rig.slot(root, GVA, 2), table | Rig.P | Rig.W | Rig.U);
        rig.cpu.invvpidContext(7);
        rig.enter();
        assertThat(rig.use(GVA, Rig.SW)).isEqualTo(GPA);
        assertThat(rig.memory.load64(rig.eptSlot(top, GPA, 1)) & 0x200).as("no dirty flag any more").isZero();
    }

    @ParameterizedTest(name = "T13 EPTP 0x{0} is taken: {1}")
    @CsvSource({"10001e, true", "100018, true", "100026, true", "10005e, true", "100016, false", "10002e, false", "10001f, false",
        "10009e, false", "10081e, false", "1000010001e, false"})
    void pointer(String eptp, boolean taken) {
        rig.vmcs.eptp = Long.parseLong(eptp, 16);
        if (taken) {
            rig.enter();
        } else {
            assertThatThrownBy(rig::enter).isInstanceOf(IllegalStateException.class).hasMessageContaining("EPTP");
        }
    }

    @Test
    @DisplayName("T13 controls that need EPT are refused without it, and an unpaged guest that is not unrestricted")
    void controlsThatNeedEpt() {
        rig.vmcs.enableEpt = false;
        rig.vmcs.modeBasedExecute = true;
        assertThatThrownBy(rig::enter).hasMessageContaining("need EPT");
        rig.vmcs.modeBasedExecute = false;
        rig.registers.paging = rig.registers.paging.withCr0(1);
        assertThatThrownBy(rig::enter).hasMessageContaining("unrestricted guest");
        rig.vmcs.unrestrictedGuest = true;
        assertThatThrownBy(rig::enter).hasMessageContaining("need EPT");
        rig.vmcs.enableEpt = true;
        rig.enter();
    }

    @ParameterizedTest
    @CsvSource({"80000011, true, true", "80000010, false, false", "00000011, false, true", "00000010, false, true"})
    @DisplayName("S05 VM entry refuses real mode and unpaged guests but for an unrestricted guest, and PG without PE always")
    void entryWithoutProtectionOrPaging(String cr0, boolean restricted, boolean unrestricted) {
        // SDM vol. 3, "Checks on Guest Control Registers, Debug Registers, and MSRs" (section 27.3.1.1).
        rig.registers.paging = rig.registers.paging.withCr0(Long.parseLong(cr0, 16));
        enters(restricted);
        rig.vmcs.unrestrictedGuest = true;
        enters(unrestricted);
    }

    private void enters(boolean allowed) {
        if (allowed) {
            rig.enter();
            rig.cpu.vmcall();
        } else {
            assertThatThrownBy(rig::enter).isInstanceOf(IllegalStateException.class).hasMessageContaining("PE and PG");
        }
    }

    @Test
    @DisplayName("T01 an unrestricted guest switches paging on and off; other guests get #GP(0) for it")
    void pagingInNonRootOperation() {
        rig.enter();
        long cr0 = rig.registers.paging.cr0();
        assertThat(rig.cpu.movToCr0(1)).isEqualTo(1);
        assertThat(rig.cpu.exception().vector).isEqualTo(13);
        rig.cpu.vmcall();
        rig.vmcs.unrestrictedGuest = true;
        rig.enter();
        assertThat(rig.use(GVA, Rig.SR)).isEqualTo(GPA);
        assertThat(rig.cpu.movToCr0(1)).isZero();
        assertThat(rig.vmcs.guestEfer & 1 << 10).as("LMA of the guest").isZero();
        assertThat(rig.use(0x9000, Rig.SW)).isEqualTo(0x9000);
        assertThat(rig.cpu.movToCr0(cr0)).isZero();
        assertThat(rig.vmcs.guestEfer & 1 << 10).isEqualTo(1 << 10);
        assertThat(rig.use(GVA, Rig.SR)).isEqualTo(GPA);
    }
}
