package org.penumbra.hardware.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.penumbra.api.cpu.Outcome;
import org.penumbra.api.cpu.Processor;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.svm.Vmcb;

/**
 * APM vol. 2, "Nested Paging": the host's page tables, in the format of its own mode, translate guest-physical addresses; every nested
 * access is a user-mode one. EXITINFO1: P 0, R/W 1, U/S 2 (always), RSV 3, I/D 4, final address 32, table walk 33.
 */
class NestedPagingTest {
    private static final long GVA = 0x8060_3000L;
    private static final long GPA = 0x5000;
    private static final long FINAL = 1L << 32;
    private static final long WALK = 1L << 33;
    private static final long MEMORY = 4 << 20;

    private Rig rig;
    private long root;
    private long top;

    private void start(Layout host) {
        start(new Rig(), host);
    }

    private void start(Rig fresh, Layout host) {
        rig = fresh;
        root = rig.longMode();
        rig.map(root, GVA, GPA, Rig.P | Rig.W | Rig.U);
        top = rig.npt(host);
        rig.nptIdentity(top, MEMORY, 1);
    }

    private void expectNestedFault(long gva, int access, long code, long gpa) {
        assertThat(rig.use(gva, access)).isEqualTo(Processor.EXIT);
        assertThat(rig.vmcb.exitCode).isEqualTo(0x400);
        assertThat(rig.vmcb.exitInfo1).as("EXITINFO1").isEqualTo(code);
        assertThat(rig.vmcb.exitInfo2).isEqualTo(gpa);
        rig.vmrun();
    }

    @ParameterizedTest(name = "T14 {0} host tables: 4 KiB and large pages, rights, flags, a not-present entry")
    @EnumSource(Layout.class)
    void everyHost(Layout host) {
        start(new Rig(TestProfile.bare()), host);
        rig.nptPut(top, GPA, 1, 0x6000 | Rig.P | Rig.W | Rig.U);
        rig.vmrun();
        assertThat(rig.use(GVA + 0x123, Rig.SR)).isEqualTo(0x6123);
        int levels = host.levels();
        assertThat(rig.cpu.statistics().guestReferences()).isEqualTo(4);
        assertThat(rig.cpu.statistics().hostReferences()).isEqualTo(5L * levels);
        assertThat(rig.nptGet(top, GPA, 1)).as("read").isEqualTo(0x6000 | Rig.P | Rig.W | Rig.U | Rig.A);
        assertThat(rig.use(GVA, Rig.SW)).isEqualTo(0x6000);
        assertThat(rig.nptGet(top, GPA, 1)).as("written").isEqualTo(0x6000 | Rig.P | Rig.W | Rig.U | Rig.A | Rig.D);
        for (int level = 2; level <= levels; level++) {
            boolean pdpte = host == Layout.PAE && level == 3;
            assertThat(rig.nptGet(top, GPA, level) & 0xfff).as("level %d", level).isEqualTo(pdpte ? 1 : 0x27);
        }

        long gpa = 0x7040_1000L;
        rig.map(root, GVA + 0x1000, gpa, Rig.P | Rig.W | Rig.U);
        expectNestedFault(GVA + 0x1000, Rig.SW, FINAL | 6, gpa);
        expectNestedFault(GVA + 0x1000, Rig.SR, FINAL | 4, gpa);
        for (int level = 2; level <= host.largest(); level++) {
            long page = 1L << host.shift(level);
            rig.nptPut(top, gpa, level, 0x8000_0000L | Rig.P | Rig.W | Rig.U | Rig.PS);
            assertThat(rig.use(GVA + 0x1000, Rig.SW)).as("level %d", level).isEqualTo(0x8000_0000L | gpa & page - 1);
            rig.nptPut(top, gpa, level, 0);
            leave();
            rig.vmcb.tlbControl = 1;
            rig.vmrun();
        }
    }

    private void leave() {
        rig.cpu.interruptLine().raise();
        assertThat(rig.cpu.interrupted()).isEqualTo(Outcome.EXIT);
        assertThat(rig.vmcb.exitCode).isEqualTo(0x60);
    }

    @ParameterizedTest(name = "T14 {0} host tables: every level needs U/S, writes need R/W on every level")
    @EnumSource(Layout.class)
    void userBit(Layout host) {
        for (int level = 1; level <= host.levels(); level++) {
            if (host == Layout.PAE && level == 3) {
                continue;
            }
            for (long missing : new long[] {Rig.U, Rig.W}) {
                start(new Rig(TestProfile.bare()), host);
                long gpa = host.largest() == 3 ? 0x80_0000_0000L : 0xf000_0000L;
                if (level == 5) {
                    // Its one entry for 40 bits of address would take the right from the guest's tables, too.
                    continue;
                }
                rig.map(root, GVA, gpa, Rig.P | Rig.W | Rig.U);
                rig.nptPut(top, gpa, 1, 0x6000 | Rig.P | Rig.W | Rig.U);
                rig.nptPut(top, gpa, level, rig.nptGet(top, gpa, level) & ~missing);
                rig.vmrun();
                if (missing == Rig.U) {
                    expectNestedFault(GVA, Rig.SR, FINAL | 5, gpa);
                } else {
                    assertThat(rig.use(GVA, Rig.SR)).isEqualTo(0x6000);
                    expectNestedFault(GVA, Rig.SW, FINAL | 7, gpa);
                }
            }
        }
    }

    @Test
    @DisplayName("T14 an execute-disable entry refuses fetches while the host's NXE is 1; while it is 0 the bit is reserved")
    void noExecute() {
        start(Layout.FOUR_LEVEL);
        rig.nptPut(top, GPA, 1, 0x6000 | Rig.P | Rig.W | Rig.U | Rig.XD);
        rig.vmrun();
        assertThat(rig.use(GVA, Rig.SR)).isEqualTo(0x6000);
        expectNestedFault(GVA, Rig.UF, FINAL | 0x15, GPA);
        leave();
        rig.vmcb.hostEfer &= ~0x800L;
        rig.vmcb.tlbControl = 1;
        rig.vmrun();
        expectNestedFault(GVA, Rig.SR, FINAL | 0xd, GPA);
        expectNestedFault(GVA, Rig.SF, FINAL | 0x1d, GPA);
    }

    @Test
    @DisplayName("T14 a legacy 32-bit host has no execute-disable, and 4 MiB pages with PSE only")
    void legacyHost() {
        start(Layout.BITS_32);
        rig.vmrun();
        assertThat(rig.use(GVA, Rig.SF)).isEqualTo(GPA);
        leave();
        rig.vmcb.hostCr4 = 0;
        rig.vmcb.tlbControl = 1;
        long gpa = 0x7040_1000L;
        rig.map(root, GVA, gpa, Rig.P | Rig.W | Rig.U);
        rig.nptPut(top, gpa, 1, 0x6000 | Rig.P | Rig.U);
        rig.nptPut(top, gpa, 2, rig.nptGet(top, gpa, 2) | Rig.PS);
        rig.vmrun();
        assertThat(rig.use(GVA, Rig.SR)).as("PS ignored").isEqualTo(0x6000);
    }

    @Test
    @DisplayName("T14 a walk of guest tables is a write: a read-only nested page under one faults, code 33 with P, R/W and U/S")
    void tableWalkIsWrite() {
        start(Layout.FOUR_LEVEL);
        long slot = rig.slot(root, GVA, 1);
        rig.nptPut(top, slot & -4096, 1, slot & -4096 | Rig.P | Rig.U);
        rig.vmrun();
        expectNestedFault(GVA, Rig.SF, WALK | 7, slot);
        rig.nptPut(top, slot & -4096, 1, 0);
        expectNestedFault(GVA, Rig.UR, WALK | 6, slot);
        rig.nptPut(top, slot & -4096, 1, slot & -4096 | Rig.P | Rig.W | Rig.U);
        assertThat(rig.use(GVA, Rig.SR)).isEqualTo(GPA);
        assertThat(rig.nptGet(top, slot & -4096, 1) & (Rig.A | Rig.D)).as("and it is dirty").isEqualTo(Rig.A | Rig.D);
    }

    @Test
    @DisplayName("T14 reserved bits in a nested entry: RSV with P, in a table walk and at the final address")
    void reserved() {
        start(Layout.PAE);
        rig.vmcb.hostEfer = 0x800;
        rig.nptPut(top, GPA, 1, 0x6000 | Rig.P | Rig.W | Rig.U | 1L << 45);
        rig.vmrun();
        expectNestedFault(GVA, Rig.SW, FINAL | 0xf, GPA);
        long slot = rig.slot(root, GVA, 1);
        rig.nptPut(top, slot & -4096, 1, slot & -4096 | Rig.P | Rig.W | Rig.U | 1L << 59);
        leave();
        rig.vmcb.tlbControl = 1;
        rig.vmrun();
        expectNestedFault(GVA, Rig.SR, WALK | 0xf, slot);
    }

    @Test
    @DisplayName("T14 a page fault of the guest's own tables is the guest's, before a nested one of the page they lead to")
    void guestFaultFirst() {
        start(Layout.FOUR_LEVEL);
        rig.map(root, GVA, 0x7000_0000L, Rig.P);
        rig.vmrun();
        rig.expectFault(GVA, Rig.UR, 5);
        expectNestedFault(GVA, Rig.SR, FINAL | 4, 0x7000_0000L);
        leave();
        rig.vmcb.exceptionIntercepts = 1 << 14;
        rig.vmrun();
        assertThat(rig.use(GVA, Rig.UW)).isEqualTo(Processor.EXIT);
        assertThat(rig.vmcb.exitCode).isEqualTo(0x4e);
        assertThat(rig.vmcb.exitInfo1).isEqualTo(7);
        assertThat(rig.vmcb.exitInfo2).isEqualTo(GVA);
    }

    @ParameterizedTest(name = "T14 {0} host tables do not map a guest-physical address beyond their own width")
    @EnumSource(value = Layout.class, names = {"BITS_32", "PAE"})
    void beyondWidth(Layout host) {
        start(host);
        rig.map(root, GVA, 0x1_0000_0000L | GPA, Rig.P | Rig.W);
        rig.vmrun();
        expectNestedFault(GVA, Rig.SW, FINAL | 6, 0x1_0000_0000L | GPA);
    }

    @Test
    @DisplayName("T14 a guest of every mode on nested tables: unpaged, 32-bit, PAE and 5-level")
    void everyGuest() {
        for (Layout guest : Layout.values()) {
            Rig r = rig = new Rig();
            long guestRoot = r.paging(guest);
            r.put(guestRoot, guest.address(), 1, GPA | Rig.P | Rig.W | Rig.U);
            top = r.npt(Layout.FIVE_LEVEL);
            r.nptIdentity(top, MEMORY, 1);
            r.nptPut(top, GPA, 1, 0x6000 | Rig.P | Rig.W | Rig.U);
            r.vmrun();
            assertThat(r.use(guest.address() + 9, Rig.UW)).as("%s", guest).isEqualTo(0x6009);
            assertThat(r.cpu.statistics().hostReferences()).isPositive();
        }
        rig = new Rig();
        rig.registers.paging = new PagingState(1, 0, 0, 0, 0, 0);
        top = rig.npt(Layout.PAE);
        rig.nptPut(top, GPA, 1, 0x6000 | Rig.P | Rig.W | Rig.U);
        rig.vmrun();
        assertThat(rig.use(GPA + 3, Rig.SW)).isEqualTo(0x6003);
        expectNestedFault(GPA + 0x1000, Rig.SF, FINAL | 0x14, GPA + 0x1000);
    }

    @Test
    @DisplayName("T14 VMRUN is refused with ASID 0, with nested paging on a host without paging, and while a guest runs")
    void consistency() {
        start(Layout.FOUR_LEVEL);
        rig.vmcb.asid = 0;
        assertThatThrownBy(rig::vmrun).isInstanceOf(IllegalStateException.class).hasMessageContaining("ASID 0");
        rig.vmcb.asid = 1;
        rig.vmcb.hostCr0 &= ~(1L << 31);
        assertThatThrownBy(rig::vmrun).isInstanceOf(IllegalStateException.class).hasMessageContaining("CR0.PG");
        rig.vmcb.hostCr0 |= 1L << 31;
        rig.vmrun();
        assertThatThrownBy(rig::vmrun).isInstanceOf(IllegalStateException.class).hasMessageContaining("exit is needed first");
    }

    /** Runs the guest once under {@code asid} and TLB_CONTROL {@code control} and reads {@code gva}. */
    private long in(int asid, int control, long gva) {
        rig.vmcb.asid = asid;
        rig.vmcb.tlbControl = control;
        rig.vmrun();
        long hpa = rig.use(gva, Rig.SR);
        leave();
        return hpa;
    }

    /** Two ASIDs have a page, a global page and a nested translation cached; then all of it changes in memory. */
    private void cacheInTwoAsids() {
        start(Layout.FOUR_LEVEL);
        rig.cr4(1 << 7);
        rig.map(root, GVA + 0x1000, GPA, Rig.P | Rig.G);
        for (int asid = 1; asid <= 2; asid++) {
            assertThat(in(asid, 0, GVA)).isEqualTo(GPA);
            assertThat(in(asid, 0, GVA + 0x1000)).isEqualTo(GPA);
        }
        rig.nptPut(top, GPA, 1, 0x6000 | Rig.P | Rig.W | Rig.U);
        rig.map(root, GVA + 0x2000, GPA, Rig.P);
    }

    @Test
    @DisplayName("T11 ASIDs: VMRUN and #VMEXIT with TLB_CONTROL 0 drop nothing, nested translations included")
    void asidsKeep() {
        cacheInTwoAsids();
        for (int asid = 1; asid <= 2; asid++) {
            assertThat(in(asid, 0, GVA)).isEqualTo(GPA);
            assertThat(in(asid, 0, GVA + 0x1000)).isEqualTo(GPA);
            assertThat(in(asid, 0, GVA + 0x2000)).as("guest-physical mapping").isEqualTo(GPA);
        }
    }

    @Test
    @DisplayName("T11 TLB_CONTROL 3 drops everything of the ASID, nested translations too, and nothing of another ASID")
    void flushAsid() {
        cacheInTwoAsids();
        assertThat(in(1, 3, GVA)).isEqualTo(0x6000);
        assertThat(in(1, 0, GVA + 0x1000)).isEqualTo(0x6000);
        assertThat(in(1, 0, GVA + 0x2000)).isEqualTo(0x6000);
        assertThat(in(2, 0, GVA)).isEqualTo(GPA);
        assertThat(in(2, 0, GVA + 0x1000)).isEqualTo(GPA);
        assertThat(in(2, 0, GVA + 0x2000)).isEqualTo(GPA);
    }

    @Test
    @DisplayName("T11 TLB_CONTROL 7 drops the ASID's translations but for global ones")
    void flushAsidButGlobals() {
        cacheInTwoAsids();
        assertThat(in(1, 7, GVA)).isEqualTo(0x6000);
        assertThat(in(1, 0, GVA + 0x1000)).as("global").isEqualTo(GPA);
        assertThat(in(2, 0, GVA)).isEqualTo(GPA);
    }

    @Test
    @DisplayName("T11 TLB_CONTROL 1 drops everything of every ASID")
    void flushAll() {
        cacheInTwoAsids();
        assertThat(in(1, 1, GVA)).isEqualTo(0x6000);
        assertThat(in(2, 0, GVA)).isEqualTo(0x6000);
        assertThat(in(2, 0, GVA + 0x1000)).isEqualTo(0x6000);
    }

    @Test
    @DisplayName("T11 INVLPGA drops one address of one ASID, globals too, and keeps other addresses, ASIDs and nested translations")
    void invlpga() {
        cacheInTwoAsids();
        rig.map(root, GVA, 0x9000, Rig.P);
        rig.map(root, GVA + 0x1000, 0x9000, Rig.P | Rig.G);
        rig.cpu.invlpga(1, GVA + 0x1000);
        assertThat(in(1, 0, GVA + 0x1000)).isEqualTo(0x9000);
        assertThat(in(1, 0, GVA)).isEqualTo(GPA);
        assertThat(in(2, 0, GVA + 0x1000)).isEqualTo(GPA);
        rig.cpu.invlpga(1, GVA);
        assertThat(in(1, 0, GVA)).isEqualTo(0x9000);
        assertThat(in(1, 0, GVA + 0x2000)).as("guest-physical mapping").isEqualTo(GPA);
        assertThat(in(2, 0, GVA)).isEqualTo(GPA);
    }

    @Test
    @DisplayName("T11 a nested page fault drops the nested translation, so that raised rights need no flush")
    void faultDrops() {
        start(Layout.FOUR_LEVEL);
        rig.nptPut(top, GPA, 1, 0x6000 | Rig.P | Rig.U);
        rig.vmrun();
        assertThat(rig.use(GVA, Rig.SR)).isEqualTo(0x6000);
        expectNestedFault(GVA, Rig.SW, FINAL | 7, GPA);
        rig.nptPut(top, GPA, 1, 0x7000 | Rig.P | Rig.W | Rig.U);
        assertThat(rig.use(GVA, Rig.SR)).isEqualTo(0x7000);
        assertThat(rig.use(GVA, Rig.SW)).isEqualTo(0x7000);
    }

    @Test
    @DisplayName("T14 without nested paging the guest's tables are the only ones, tagged by ASID")
    void shadow() {
        start(Layout.FOUR_LEVEL);
        rig.vmcb.nestedPaging = false;
        rig.vmrun();
        assertThat(rig.use(GVA, Rig.SR)).isEqualTo(GPA);
        assertThat(rig.cpu.statistics().hostReferences()).isZero();
        leave();
        rig.map(root, GVA, 0x9000, Rig.P);
        assertThat(in(2, Vmcb.TLB_NOTHING, GVA)).isEqualTo(0x9000);
        assertThat(in(1, Vmcb.TLB_NOTHING, GVA)).isEqualTo(GPA);
    }
}
