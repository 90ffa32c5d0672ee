package org.penumbra.hardware.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.penumbra.api.cpu.Processor;
import org.penumbra.api.vmx.ExitReason;

/** SDM vol. 3, "The Extended Page Table Mechanism (EPT)": entries, violations, misconfigurations, flags. */
class EptTest {
    private static final long GVA = 0x40_0060_3000L;
    private static final long GPA = 0x5000;
    private static final int LINEAR_VALID = 0x80;
    /** Bits 11:9, the rights of the linear address by the guest's tables. */
    private static final long LINEAR_RIGHTS = 7 << 9;
    private static final int FINAL = 0x100;

    private Rig rig;
    private long root;
    private long top;

    @BeforeEach
    void machine() {
        start(new Rig(), 0);
    }

    private void start(Rig fresh, long eptpFlags) {
        rig = fresh;
        root = rig.longMode();
        rig.map(root, GVA, GPA, Rig.P | Rig.W | Rig.U);
        top = rig.ept(eptpFlags);
        rig.vmcs.vpid = 7;
        rig.eptIdentity(top, 16 << 20, 1);
    }

    private void expectViolation(long gva, int access, long gpa, int qualification) {
        assertThat(rig.use(gva, access)).isEqualTo(Processor.EXIT);
        assertThat(ExitReason.of(rig.cpu.exit().reason)).isEqualTo(ExitReason.EPT_VIOLATION);
        assertThat(rig.cpu.exit().guestPhysical).isEqualTo(gpa);
        assertThat(rig.cpu.exit().guestLinear).isEqualTo(gva);
        assertThat(rig.cpu.exit().access).isEqualTo(access);
        assertThat(rig.cpu.exit().qualification & ~LINEAR_RIGHTS).as("exit qualification").isEqualTo(qualification | LINEAR_VALID);
    }

    @ParameterizedTest(name = "T13 EPT rights {0} (RWX): read {1}, write {2}, fetch {3}; else violation with bits 5:3 = {0}")
    @CsvSource({"1, true, false, false", "3, true, true, false", "4, false, false, true", "5, true, false, true",
        "7, true, true, true", "0, false, false, false"})
    void rights(int rwx, boolean read, boolean write, boolean fetch) {
        boolean[] allowed = {read, write, fetch};
        for (int op = 0; op < 3; op++) {
            for (int kind : new int[] {op, op | 4}) {
                start(new Rig(), 0);
                rig.eptMap(top, GPA, 0xab_c000, rwx == 0 ? 0 : rwx | Rig.EPT_WB);
                rig.enter();
                if (allowed[op]) {
                    assertThat(rig.use(GVA + 0x321, kind)).isEqualTo(0xab_c321);
                } else {
                    expectViolation(GVA + 0x321, kind, GPA + 0x321, 1 << op | rwx << 3 | FINAL);
                }
            }
        }
    }

    @ParameterizedTest(name = "T13 rights are the logical AND of the EPT entries: W cleared at level {0}")
    @ValueSource(ints = {1, 2, 3, 4})
    void everyLevelCounts(int level) {
        rig.eptMap(top, 0x7000_0000L, 0xab_c000, 7 | Rig.EPT_WB);
        rig.map(root, GVA, 0x7000_0000L, Rig.P | Rig.W | Rig.D);
        long slot = rig.eptSlot(top, 0x7000_0000L, level);
        rig.memory.store64(slot, rig.memory.load64(slot) & ~2);
        for (int l = 1; l <= 4; l++) {
            rig.memory.store64(rig.slot(root, GVA, l), rig.entry(root, GVA, l) | Rig.A);
        }
        rig.enter();
        expectViolation(GVA, Rig.SW, 0x7000_0000L, 2 | 5 << 3 | FINAL);
    }

    @Test
    @DisplayName("T13 a guest table that EPT does not map: violation by a read, bit 8 clear, gpa of the entry")
    void tableNotMapped() {
        long table = rig.entry(root, GVA, 2) & Rig.ADDRESS;
        rig.eptMap(top, table, 0, 0);
        rig.enter();
        expectViolation(GVA, Rig.UW, rig.slot(root, GVA, 1), 1);
        rig.eptMap(top, table, table, 4 | Rig.EPT_WB);
        rig.enter();
        expectViolation(GVA, Rig.UW, rig.slot(root, GVA, 1), 1 | 4 << 3);
    }

    @Test
    @DisplayName("T13 setting a flag in a guest table that is not writable: violation by a write, bit 8 clear")
    void flagUpdate() {
        long table = rig.entry(root, GVA, 2) & Rig.ADDRESS;
        long slot = rig.slot(root, GVA, 1);
        rig.eptMap(top, table, table, 5 | Rig.EPT_WB);
        rig.enter();
        expectViolation(GVA, Rig.SR, slot, 3 | 5 << 3);
        assertThat(rig.memory.load64(slot) & Rig.A).isZero();
        rig.memory.store64(slot, rig.memory.load64(slot) | Rig.A);
        rig.enter();
        assertThat(rig.use(GVA, Rig.SR)).as("nothing to set any more").isEqualTo(GPA);
        expectViolation(GVA, Rig.SW, slot, 3 | 5 << 3);
        long copy = rig.frame();
        rig.memory.store64(copy | slot & 0xfff, rig.memory.load64(slot));
        rig.eptMap(top, table, copy, 7 | Rig.EPT_WB);
        rig.enter();
        assertThat(rig.use(GVA, Rig.SW)).as("the violation dropped the mapping of the table").isEqualTo(GPA);
        assertThat(rig.memory.load64(copy | slot & 0xfff)).isEqualTo(GPA | Rig.P | Rig.W | Rig.U | Rig.A | Rig.D);
    }

    @Test
    @DisplayName("T13 with accessed and dirty flags for EPT every access to a guest table counts as a write")
    void flagsMakeTableAccessesWrites() {
        start(new Rig(), 1 << 6);
        long table = rig.entry(root, GVA, 2) & Rig.ADDRESS;
        rig.memory.store64(rig.slot(root, GVA, 1), rig.entry(root, GVA, 1) | Rig.A | Rig.D);
        rig.eptMap(top, table, table, 5 | Rig.EPT_WB);
        rig.enter();
        expectViolation(GVA, Rig.SR, rig.slot(root, GVA, 1), 3 | 5 << 3);
    }

    @Test
    @DisplayName("T13 EPT accessed flags on every entry used; dirty on the page of a write and on pages with guest tables")
    void flags() {
        start(new Rig(), 1 << 6);
        rig.enter();
        rig.use(GVA, Rig.SR);
        long flags = 0x300;
        for (int level = 1; level <= 4; level++) {
            assertThat(rig.memory.load64(rig.eptSlot(top, GPA, level)) & flags).as("level %d", level).isEqualTo(0x100);
        }
        for (int level = 1; level <= 4; level++) {
            long table = rig.slot(root, GVA, level) & -4096;
            assertThat(rig.memory.load64(rig.eptSlot(top, table, 1)) & flags).as("guest table of level %d", level).isEqualTo(flags);
        }
        rig.use(GVA, Rig.SW);
        assertThat(rig.memory.load64(rig.eptSlot(top, GPA, 1)) & flags).isEqualTo(flags);
        assertThat(rig.memory.load64(rig.eptSlot(top, GPA, 2)) & flags).isEqualTo(0x100);
        long walks = rig.walks();
        rig.use(GVA, Rig.SW);
        assertThat(rig.walks()).isEqualTo(walks);
    }

    @Test
    @DisplayName("T13 with EPTP bit 6 clear the processor leaves bits 9:8 alone")
    void flagsOff() {
        rig.enter();
        rig.use(GVA, Rig.SW);
        for (int level = 1; level <= 4; level++) {
            assertThat(rig.memory.load64(rig.eptSlot(top, GPA, level)) & 0x300).isZero();
        }
    }

    /** SDM vol. 3, "EPT Misconfigurations"; MAXPHYADDR is 40. */
    @ParameterizedTest(name = "T13 level {0} (page: {1}) bits 0x{2}: misconfiguration {3}")
    @CsvSource({
        "1, true, 2, true", "1, true, 6, true", "1, true, 7, false", "1, true, 4, false",
        "1, true, f, false", "1, true, 17, true", "1, true, 1f, true", "1, true, 27, false", "1, true, 2f, false", "1, true, 37, false",
        "1, true, 3f, true", "1, true, 10000000037, true", "1, true, 8000000000037, true", "1, true, 10000000000037, false",
        "1, true, 8000000037, false", "1, true, 77, false", "1, true, b7, false", "1, true, cb7, false",
        "2, true, 10b7, true", "2, true, 1000b7, true", "2, true, b7, false", "2, true, 9f, true",
        "2, false, f, true", "2, false, 17, true", "2, false, 27, true", "2, false, 47, true", "2, false, 2, true", "2, false, 107, false",
        "3, true, 10b7, true", "3, true, 200000b7, true", "3, true, b7, false", "3, false, f, true", "3, false, 10000000007, true",
        "4, false, 87, true", "4, false, f, true", "4, false, 47, true", "4, false, 907, false",
    })
    void misconfiguration(int level, boolean page, String bits, boolean misconfigured) {
        long value = Long.parseUnsignedLong(bits, 16);
        long gpa = 0x4000_0000L * 600;
        rig.map(root, GVA, gpa, Rig.P);
        rig.eptMap(top, gpa, 0x5000, 7 | Rig.EPT_WB);
        long slot = rig.eptSlot(top, gpa, level);
        long address = page ? level == 1 ? 0x5000 : 0 : rig.memory.load64(slot) & Rig.ADDRESS;
        rig.memory.store64(slot, address | value);
        rig.enter();
        long hpa = rig.use(GVA, (value & 7) == 4 ? Rig.SF : Rig.SR);
        if (misconfigured) {
            assertThat(hpa).isEqualTo(Processor.EXIT);
            assertThat(ExitReason.of(rig.cpu.exit().reason)).isEqualTo(ExitReason.EPT_MISCONFIG);
            assertThat(rig.cpu.exit().guestPhysical).isEqualTo(gpa);
            assertThat(rig.cpu.exit().qualification).isZero();
        } else {
            assertThat(hpa).isNotNegative();
        }
    }

    @Test
    @DisplayName("T13 a page fault of the guest's own tables comes before a violation of the page they lead to")
    void pageFaultFirst() {
        rig.map(root, GVA, GPA, Rig.P);
        rig.eptMap(top, GPA, 0, 0);
        rig.enter();
        rig.expectFault(GVA, Rig.UW, 7);
        expectViolation(GVA, Rig.SR, GPA, 1 | FINAL);
    }

    @Test
    @DisplayName("T13 2 MiB and 1 GiB EPT pages under 4 KiB, 2 MiB and 1 GiB guest pages: the smaller size is cached")
    void sizes() {
        long base = 0x40_0000_0000L;
        for (int guest = 1; guest <= 3; guest++) {
            for (int host = 1; host <= 3; host++) {
                Rig r = new Rig();
                long cr3 = r.longMode();
                long eptTop = r.ept(0);
                long gpa = 0x40_4000_0000L;
                long hpa = 0x80_8000_0000L;
                r.eptIdentity(eptTop, 16 << 20, 1);
                for (long offset : new long[] {0x0, 0x12_3000, 0x1234_5000}) {
                    r.memory.store64(r.eptSlot(eptTop, gpa + offset, host),
                            (hpa + offset & -1L << 3 + 9 * host) | 7 | Rig.EPT_WB | (host > 1 ? 0x80 : 0));
                    r.memory.store64(r.slot(cr3, base + offset, guest),
                            (gpa + offset & -1L << 3 + 9 * guest) | Rig.P | Rig.W | (guest > 1 ? Rig.PS : 0));
                }
                r.enter();
                for (int round = 0; round < 2; round++) {
                    for (long offset : new long[] {0x0, 0x12_3000, 0x1234_5000}) {
                        assertThat(r.use(base + offset + 0x67, Rig.SR)).as("guest %d host %d", guest, host).isEqualTo(hpa + offset + 0x67);
                    }
                }
                long expected = Math.min(guest, host) == 1 ? 3 : Math.min(guest, host) == 2 ? 2 : 1;
                assertThat(r.walks()).as("guest %d host %d", guest, host).isEqualTo(expected);
            }
        }
    }

    @Test
    @DisplayName("T11 INVLPG of one address drops every 4 KiB piece of the guest's 2 MiB page")
    void invlpgPieces() {
        long big = 0x80_0000_0000L;
        rig.mapLarge(root, big, 0x20_0000, Rig.P, 2);
        rig.mapLarge(root, big + 0x20_0000, 0x20_0000, Rig.P, 2);
        rig.enter();
        rig.use(big, Rig.SR);
        rig.use(big + 0x7000, Rig.SR);
        rig.use(big + 0x20_7000, Rig.SR);
        rig.mapLarge(root, big, 0x40_0000, Rig.P, 2);
        rig.mapLarge(root, big + 0x20_0000, 0x40_0000, Rig.P, 2);
        assertThat(rig.use(big + 0x7000, Rig.SR)).isEqualTo(0x20_7000);
        rig.cpu.invlpg(big + 0x1f_f000);
        assertThat(rig.use(big, Rig.SR)).isEqualTo(0x40_0000);
        assertThat(rig.use(big + 0x7000, Rig.SR)).isEqualTo(0x40_7000);
        assertThat(rig.use(big + 0x20_7000, Rig.SR)).as("another page").isEqualTo(0x20_7000);
    }

    @Test
    @DisplayName("T11 INVEPT type 1 drops guest-physical and combined mappings of its root, for every VPID, and of no other root")
    void invept() {
        long eptp = rig.vmcs.eptp;
        rig.enter();
        rig.use(GVA, Rig.SR);
        rig.cpu.vmcall();
        long otherTop = rig.ept(0);
        rig.eptIdentity(otherTop, 16 << 20, 1);
        rig.enter();
        rig.use(GVA, Rig.SR);
        rig.cpu.vmcall();
        long other = rig.vmcs.eptp;
        rig.eptMap(top, GPA, 0x6000, 7 | Rig.EPT_WB);
        rig.eptMap(otherTop, GPA, 0x7000, 7 | Rig.EPT_WB);
        rig.vmcs.eptp = eptp;
        rig.enter();
        assertThat(rig.use(GVA, Rig.SR)).as("stale combined mapping").isEqualTo(GPA);
        rig.map(root, GVA + 0x1000, GPA, Rig.P);
        assertThat(rig.use(GVA + 0x1000, Rig.SR)).as("stale guest-physical mapping").isEqualTo(GPA);
        rig.cpu.vmcall();
        rig.cpu.inveptContext(eptp);
        rig.enter();
        assertThat(rig.use(GVA, Rig.SR)).isEqualTo(0x6000);
        assertThat(rig.use(GVA + 0x1000, Rig.SR)).isEqualTo(0x6000);
        rig.cpu.vmcall();
        rig.vmcs.eptp = other;
        rig.enter();
        assertThat(rig.use(GVA, Rig.SR)).isEqualTo(GPA);
    }

    @Test
    @DisplayName("T11 INVVPID, INVLPG and MOV to CR3 keep guest-physical mappings")
    void guestPhysicalMappingsStay() {
        rig.enter();
        rig.use(GVA, Rig.SR);
        rig.eptMap(top, GPA, 0x6000, 7 | Rig.EPT_WB);
        rig.cpu.invlpg(GVA);
        rig.cpu.movToCr3(root);
        rig.cpu.invvpidContext(7);
        assertThat(rig.use(GVA, Rig.SR)).isEqualTo(GPA);
    }

    @Test
    @DisplayName("T11 an EPT violation drops the guest-physical mapping and what combined mappings exist for the address")
    void violationDrops() {
        rig.eptMap(top, GPA, 0x6000, 1 | Rig.EPT_WB);
        rig.enter();
        assertThat(rig.use(GVA, Rig.SR)).isEqualTo(0x6000);
        expectViolation(GVA, Rig.SW, GPA, 2 | 1 << 3 | FINAL);
        rig.eptMap(top, GPA, 0x7000, 7 | Rig.EPT_WB);
        rig.enter();
        assertThat(rig.use(GVA, Rig.SR)).as("neither the combined nor the guest-physical mapping is left").isEqualTo(0x7000);
        assertThat(rig.use(GVA, Rig.SW)).isEqualTo(0x7000);
    }

    @Test
    @DisplayName("T11 an EPT violation drops the paging-structure-cache entries that were used for the address, and no other's")
    void violationDropsStructures() {
        long far = 0x60_0000_0000L;
        rig.map(root, far, GPA, Rig.P);
        rig.map(root, far + 0x1000, GPA, Rig.P);
        rig.map(root, GVA + 0x1000, 0x7000_0000L, Rig.P);
        rig.enter();
        rig.use(far, Rig.SR);
        rig.use(GVA, Rig.SR);
        expectViolation(GVA + 0x1000, Rig.SR, 0x7000_0000L, 1 | FINAL);
        for (long gva : new long[] {far + 0x1000, GVA + 0x1000}) {
            long table = rig.frame();
            rig.memory.store64(table + (gva >>> 12 & 511) * 8, 0x6000 | Rig.P);
            rig.memory.store64(rig.slot(root, gva, 2), table | Rig.P | Rig.W | Rig.U);
        }
        rig.enter();
        assertThat(rig.use(GVA + 0x1000, Rig.SR)).isEqualTo(0x6000);
        assertThat(rig.use(far + 0x1000, Rig.SR)).as("stale PDE-cache entry").isEqualTo(GPA);
    }

    /** Gives the EPT page table that maps {@code gpa} a successor in which {@code gpa} leads to {@code hpa}. */
    private void moveEptTable(long gpa, long hpa) {
        long table = rig.frame();
        rig.memory.store64(table + (gpa >>> 12 & 511) * 8, hpa | 7 | Rig.EPT_WB);
        rig.memory.store64(rig.eptSlot(top, gpa, 2), table | 7);
    }

    @Test
    @DisplayName("T10 guest-physical paging-structure-cache entries: an EPT violation drops those used, INVEPT all, INVLPG none")
    void guestPhysicalStructures() {
        long a = 0x7000_0000L;
        long b = 0x7060_0000L;
        rig.eptMap(top, a, 0x6000, 7 | Rig.EPT_WB);
        rig.eptMap(top, b, 0x6000, 7 | Rig.EPT_WB);
        rig.map(root, GVA + 0x1000, a, Rig.P);
        rig.map(root, GVA + 0x2000, b, Rig.P);
        rig.map(root, GVA + 0x3000, a + 0x3000, Rig.P);
        rig.map(root, GVA + 0x4000, b + 0x4000, Rig.P);
        rig.map(root, GVA + 0x5000, b + 0x5000, Rig.P);
        rig.eptMap(top, b + 0x4000, 0x6000, 7 | Rig.EPT_WB);
        rig.enter();
        rig.use(GVA + 0x1000, Rig.SR);
        rig.use(GVA + 0x2000, Rig.SR);
        moveEptTable(a + 0x3000, 0x7000);
        moveEptTable(b + 0x5000, 0x7000);
        rig.cpu.invlpg(GVA);
        rig.cpu.movToCr3(root);
        expectViolation(GVA + 0x3000, Rig.SR, a + 0x3000, 1 | FINAL);
        rig.enter();
        assertThat(rig.use(GVA + 0x3000, Rig.SR)).as("found in the new table").isEqualTo(0x7000);
        assertThat(rig.use(GVA + 0x4000, Rig.SR)).as("through the stale entry").isEqualTo(0x6000);
        rig.cpu.inveptContext(rig.vmcs.eptp);
        assertThat(rig.use(GVA + 0x5000, Rig.SR)).isEqualTo(0x7000);
    }

    @Test
    @DisplayName("T11 a page fault drops every 4 KiB piece of the guest's 2 MiB page")
    void pageFaultPieces() {
        long big = 0x80_0000_0000L;
        rig.mapLarge(root, big, 0x20_0000, Rig.P, 2);
        rig.enter();
        rig.use(big, Rig.SR);
        rig.use(big + 0x1000, Rig.SR);
        rig.mapLarge(root, big, 0x40_0000, Rig.P, 2);
        assertThat(rig.use(big, Rig.SR)).isEqualTo(0x20_0000);
        rig.expectFault(big + 0x1000, Rig.UR, 5);
        assertThat(rig.use(big, Rig.SR)).isEqualTo(0x40_0000);
    }

    @Test
    @DisplayName("T11 entry and exit without VPID keep guest-physical mappings")
    void vpidZeroKeepsGuestPhysical() {
        rig.vmcs.vpid = 0;
        rig.enter();
        rig.use(GVA, Rig.SR);
        rig.cpu.vmcall();
        rig.eptMap(top, GPA, 0x6000, 7 | Rig.EPT_WB);
        rig.enter();
        assertThat(rig.use(GVA, Rig.SR)).isEqualTo(GPA);
        assertThat(rig.walks()).as("the combined mapping was dropped").isEqualTo(2);
    }

    @Test
    @DisplayName("T13 after EPT rights were raised no invalidation is needed: the write walks and finds them")
    void raisedRights() {
        rig.eptMap(top, GPA, GPA, 1 | Rig.EPT_WB);
        rig.enter();
        assertThat(rig.use(GVA, Rig.SR)).isEqualTo(GPA);
        rig.eptMap(top, GPA, GPA, 7 | Rig.EPT_WB);
        assertThat(rig.use(GVA, Rig.SW)).isEqualTo(GPA);
    }

    @Test
    @DisplayName("T09 combined mappings of one VPID under two EPT roots do not meet; EPTP bits 11:0 are no part of the tag")
    void rootsApart() {
        rig.enter();
        rig.use(GVA, Rig.SR);
        rig.cpu.vmcall();
        long eptp = rig.vmcs.eptp;
        long otherTop = rig.ept(0);
        rig.eptIdentity(otherTop, 16 << 20, 1);
        rig.eptMap(otherTop, GPA, 0x7000, 7 | Rig.EPT_WB);
        rig.enter();
        assertThat(rig.use(GVA, Rig.SR)).isEqualTo(0x7000);
        rig.cpu.vmcall();
        rig.vmcs.eptp = eptp & ~7;
        rig.enter();
        long walks = rig.walks();
        assertThat(rig.use(GVA, Rig.SR)).isEqualTo(GPA);
        assertThat(rig.walks()).isEqualTo(walks);
    }

    @Test
    @DisplayName("T01 without guest paging EPT translates the linear address")
    void unpaged() {
        rig.registers.paging = rig.registers.paging.withCr0(1);
        rig.vmcs.unrestrictedGuest = true;
        rig.eptMap(top, GPA, 0x6000, 7 | Rig.EPT_WB);
        rig.enter();
        assertThat(rig.use(GPA + 5, Rig.SW)).isEqualTo(0x6005);
        expectViolation(0x7000_0000L, Rig.SR, 0x7000_0000L, 1 | FINAL);
    }
}
