package org.penumbra.hardware.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.penumbra.api.cpu.Outcome;
import org.penumbra.api.cpu.Processor;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.Pdptes;
import org.penumbra.api.svm.Vmcb;
import org.penumbra.api.vmx.ExitReason;

/**
 * SDM vol. 3, "PAE Paging" and "PDPTE Registers"; under EPT "Loading Page-Directory-Pointer-Table Entries" of "VM Entries"; under
 * nested paging APM vol. 2, "Legacy PAE Mode". MAXPHYADDR is 40.
 */
class PaePagingTest {
    private static final long GVA = 0x8060_3000L;
    private static final long NW_CD = 3L << 29;
    private static final long PG = 1L << 31;

    private Rig rig;
    private long root;

    @BeforeEach
    void machine() {
        rig = new Rig();
        root = rig.paging(Layout.PAE);
        rig.put(root, GVA, 1, 0x7000 | Rig.P | Rig.W | Rig.U);
        rig.pdptes();
    }

    /** Gives the PDPTE in memory another page directory, in which GVA leads to {@code frame}. */
    private void replaceDirectory(long frame) {
        rig.put(root, GVA, 3, 0);
        rig.put(root, GVA, 1, frame | Rig.P | Rig.W | Rig.U);
    }

    private void drop() {
        rig.cpu.invlpg(GVA);
    }

    @Test
    @DisplayName("T03 two references below the registers; 4 KiB pages with bits 39:32 of the address")
    void walk() {
        rig.put(root, GVA, 1, 0xab_cdef_1000L | Rig.P);
        assertThat(rig.use(GVA + 0x765, Rig.SR)).isEqualTo(0xab_cdef_1765L);
        assertThat(rig.cpu.statistics().guestReferences()).isEqualTo(2);
    }

    @Test
    @DisplayName("T03 2 MiB pages, whatever CR4.PSE says")
    void largePages() {
        rig.put(root, GVA, 2, 0xab_cde0_0000L | Rig.P | Rig.W | Rig.PS | 1L << 12);
        assertThat(rig.use(GVA + 7, Rig.SW)).isEqualTo(0xab_cde0_0007L | GVA & 0x1f_ffff);
        assertThat(rig.get(root, GVA, 2)).isEqualTo(0xab_cde0_0000L | Rig.P | Rig.W | Rig.PS | 1L << 12 | Rig.A | Rig.D);
        assertThat(rig.cpu.statistics().guestReferences()).isEqualTo(1);
    }

    @Test
    @DisplayName("T03 a change of the PDPTEs in memory is not seen until they are loaded again: INVLPG does not, MOV to CR3 does")
    void registersNotMemory() {
        replaceDirectory(0x9000);
        drop();
        assertThat(rig.use(GVA, Rig.SR)).as("by the registers").isEqualTo(0x7000);
        drop();
        assertThat(rig.cpu.movToCr3(root)).isEqualTo(Outcome.DONE);
        assertThat(rig.use(GVA, Rig.SR)).isEqualTo(0x9000);
        assertThat(rig.registers.paging.pdptes().get(2)).isEqualTo(rig.get(root, GVA, 3));
    }

    /** SDM vol. 3, "PDPTE Registers": MOV to CR0 that changes CD, NW or PG, MOV to CR4 that changes PAE, PGE, PSE or SMEP. */
    @ParameterizedTest(name = "T03 MOV to CR{0} that changes 0x{1}: PDPTEs are loaded {2}")
    @CsvSource({"0, 40000000, true", "0, 60000000, true", "0, 10000, false", "0, 8, false",
        "4, 80, true", "4, 10, true", "4, 100000, true", "4, 200000, false", "4, 400000, false", "4, 200, false"})
    void whatLoads(int register, String bits, boolean loads) {
        PagingState s = rig.registers.paging;
        replaceDirectory(0x9000);
        long change = Long.parseLong(bits, 16);
        assertThat(register == 0 ? rig.cpu.movToCr0(s.cr0() ^ change) : rig.cpu.movToCr4(s.cr4() ^ change)).isEqualTo(Outcome.DONE);
        drop();
        assertThat(rig.use(GVA, Rig.AR)).isEqualTo(loads ? 0x9000 : 0x7000);
    }

    @Test
    @DisplayName("T03 PDPTEs are loaded when CR0.PG or CR4.PAE is set, and NW is changed alone")
    void enabling() {
        PagingState s = rig.registers.paging;
        rig.registers.paging = s.withPdptes(Pdptes.NONE).withCr0(1);
        assertThat(rig.cpu.movToCr0(s.cr0())).isEqualTo(Outcome.DONE);
        assertThat(rig.use(GVA, Rig.SR)).isEqualTo(0x7000);

        rig.registers.paging = s.withPdptes(Pdptes.NONE).withCr4(0);
        assertThat(rig.cpu.movToCr4(0x20)).isEqualTo(Outcome.DONE);
        drop();
        assertThat(rig.use(GVA, Rig.SR)).isEqualTo(0x7000);

        rig.registers.paging = s.withPdptes(Pdptes.NONE).withCr0(s.cr0() | NW_CD);
        assertThat(rig.cpu.movToCr0(s.cr0() | 1L << 30)).isEqualTo(Outcome.DONE);
        assertThat(rig.registers.paging.pdptes()).isNotEqualTo(Pdptes.NONE);
    }

    @Test
    @DisplayName("T03 paging that is switched off, or is not PAE paging then, loads no PDPTEs")
    void otherModes() {
        rig.put(root, GVA, 3, 2 | Rig.P);
        Pdptes before = rig.registers.paging.pdptes();
        assertThat(rig.cpu.movToCr0(1)).isEqualTo(Outcome.DONE);
        assertThat(rig.cpu.movToCr4(0x20 | 0x80)).isEqualTo(Outcome.DONE);
        assertThat(rig.cpu.movToCr3(root)).isEqualTo(Outcome.DONE);
        assertThat(rig.registers.paging.pdptes()).isEqualTo(before);
    }

    @ParameterizedTest(name = "T03 PDPTE bit {0}: #GP(0) on the load {1}, and nothing is loaded")
    @CsvSource({"1, true", "2, true", "3, false", "4, false", "5, true", "6, true", "7, true", "8, true", "9, false", "11, false",
        "39, false", "40, true", "51, true", "52, true", "63, true"})
    void reserved(int bit, boolean fault) {
        long other = rig.frame();
        rig.memory.store64(other + 8, 0x7000 | Rig.P | 1L << bit);
        PagingState before = rig.registers.paging;
        int outcome = rig.cpu.movToCr3(other);
        if (fault) {
            assertThat(outcome).isEqualTo(Outcome.FAULT);
            assertThat(rig.cpu.exception().vector).isEqualTo(13);
            assertThat(rig.cpu.exception().errorCode).isZero();
            assertThat(rig.registers.paging).isEqualTo(before);
            assertThat(rig.use(GVA, Rig.SR)).isEqualTo(0x7000);
        } else {
            assertThat(outcome).isEqualTo(Outcome.DONE);
        }
        rig.memory.store64(other + 8, 0x7000 | 1L << bit);
        assertThat(rig.cpu.movToCr3(other)).as("not present: nothing is reserved").isEqualTo(Outcome.DONE);
    }

    @ParameterizedTest(name = "T03 a bad PDPTE at MOV to CR{0} is #GP(0): the register keeps its value")
    @ValueSource(ints = {0, 4})
    void reservedAtOtherRegisters(int register) {
        rig.put(root, GVA, 3, 1 << 5 | Rig.P);
        PagingState before = rig.registers.paging;
        assertThat(register == 0 ? rig.cpu.movToCr0(before.cr0() ^ 1L << 30) : rig.cpu.movToCr4(before.cr4() ^ 0x80)).isEqualTo(Outcome.FAULT);
        assertThat(rig.cpu.exception().vector).isEqualTo(13);
        assertThat(rig.registers.paging).isEqualTo(before);
    }

    @Test
    @DisplayName("T03 CR3 bits 31:5 name the table, aligned to 32 bytes")
    void alignment() {
        long page = rig.frame();
        rig.memory.store64(page + 0x7e0 + 16, rig.get(root, GVA, 3));
        assertThat(rig.cpu.movToCr3(page + 0x7e0 | 0x18)).isEqualTo(Outcome.DONE);
        assertThat(rig.use(GVA, Rig.SR)).isEqualTo(0x7000);
        rig.expectFault(0, Rig.UW, 6);
    }

    @Test
    @DisplayName("T03 an address whose PDPTE register is not present: #PF without a reference")
    void notPresent() {
        rig.expectFault(0x4000_0000L, Rig.UF, 0x14);
        rig.expectFault(0xc000_0000L, Rig.SW, 2);
        assertThat(rig.cpu.statistics().guestReferences()).isZero();
    }

    @ParameterizedTest(name = "T08 PAE: bit {1} of a level-{0} entry (page: {2}) reserved: {3}")
    @CsvSource({"2, 40, false, true", "2, 52, false, true", "2, 62, false, true", "2, 63, false, false", "2, 6, false, false",
        "2, 8, false, false", "2, 13, true, true", "2, 20, true, true", "2, 12, true, false", "2, 62, true, true",
        "1, 40, true, true", "1, 59, true, true", "1, 62, true, true", "1, 7, true, false", "1, 63, true, false"})
    void reservedEntryBits(int level, int bit, boolean page, boolean reserved) {
        if (page && level == 2) {
            rig.put(root, GVA, 2, 0x20_0000 | Rig.P | Rig.U | Rig.PS);
        }
        rig.put(root, GVA, level, rig.get(root, GVA, level) | 1L << bit);
        if (reserved) {
            rig.expectFault(GVA, Rig.UW, 0xf);
        } else {
            assertThat(rig.use(GVA, Rig.SR)).isNotNegative();
        }
    }

    @Test
    @DisplayName("T06 PAE: XD is a right with EFER.NXE and reserved without; rights are those of PDE and PTE; no keys")
    void rights() {
        rig.put(root, GVA, 2, rig.get(root, GVA, 2) | Rig.XD);
        rig.expectFault(GVA, Rig.UF, 0x15);
        assertThat(rig.use(GVA, Rig.UW)).isEqualTo(0x7000);
        rig.efer(0);
        drop();
        rig.expectFault(GVA, Rig.UR, 0xd);
        rig.put(root, GVA, 2, rig.get(root, GVA, 2) & ~(Rig.XD | Rig.W | Rig.U));
        rig.expectFault(GVA, Rig.SW, 3);
        rig.expectFault(GVA, Rig.UR, 5);
        rig.keys(-1, -1);
        rig.cr4(1 << 22 | 1 << 24);
        assertThat(rig.use(GVA, Rig.SR)).isEqualTo(0x7000);
    }

    @Test
    @DisplayName("T03 a VM entry with EPT takes the PDPTEs from the VMCS and not from memory; MOV to CR3 loads both")
    void vmcsFields() {
        rig.vmcs.vpid = 3;
        rig.eptIdentity(rig.ept(0), 4 << 20, 1);
        Pdptes old = rig.registers.paging.pdptes();
        replaceDirectory(0x9000);
        rig.enter();
        assertThat(rig.use(GVA, Rig.SR)).isEqualTo(0x7000);
        drop();
        assertThat(rig.cpu.movToCr3(root)).isEqualTo(Outcome.DONE);
        assertThat(rig.use(GVA, Rig.SR)).isEqualTo(0x9000);
        rig.cpu.vmcall();
        assertThat(rig.vmcs.guestPdptes.get(2)).as("saved in the VMCS").isEqualTo(rig.get(root, GVA, 3));
        assertThat(rig.registers.paging.pdptes()).isEqualTo(rig.vmcs.guestPdptes).isNotEqualTo(old);
    }

    @Test
    @DisplayName("T03 a VM entry with EPT and a guest PDPTE with reserved bits is refused; one that is not present is not looked at")
    void entryChecksFields() {
        rig.eptIdentity(rig.ept(0), 4 << 20, 1);
        PagingState s = rig.registers.paging;
        rig.registers.paging = s.withPdptes(new Pdptes(0, 0, 0x7000 | Rig.P | 1 << 6, 0));
        assertThatThrownBy(rig::enter).isInstanceOf(IllegalStateException.class).hasMessageContaining("PDPTE");
        rig.registers.paging = s.withPdptes(new Pdptes(0, 0, 0x7000 | 1 << 6, 0));
        rig.enter();
    }

    @Test
    @DisplayName("T03 a VM entry without EPT loads the PDPTEs from memory by the guest-state CR3, and the guest does not see them")
    void entryWithoutEpt() {
        PagingState s = rig.registers.paging;
        rig.registers.paging = s.withPdptes(Pdptes.NONE);
        rig.enter();
        assertThat(rig.use(GVA, Rig.SR)).isEqualTo(0x7000);
        assertThat(rig.registers.paging.pdptes()).isEqualTo(Pdptes.NONE);
        rig.cpu.vmcall();
        rig.put(root, GVA, 3, 2 | Rig.P);
        assertThatThrownBy(rig::enter).isInstanceOf(IllegalStateException.class).hasMessageContaining("PDPTE");
    }

    @ParameterizedTest(name = "T03 EPT violation on the load of PDPTEs with EPTP flags 0x{0}: a read, no linear address, nothing loaded")
    @ValueSource(strings = {"0", "40"})
    void violation(String flags) {
        long top = rig.ept(Long.parseLong(flags, 16));
        rig.eptIdentity(top, 4 << 20, 1);
        rig.enter();
        long other = rig.frame();
        for (int rights : new int[] {0, 4}) {
            rig.eptMap(top, other, rights == 0 ? 0 : other, rights == 0 ? 0 : rights | Rig.EPT_WB);
            assertThat(rig.cpu.movToCr3(other | 0x20)).isEqualTo(Outcome.EXIT);
            assertThat(ExitReason.of(rig.cpu.exit().reason)).isEqualTo(ExitReason.EPT_VIOLATION);
            assertThat(rig.cpu.exit().qualification).isEqualTo(1 | rights << 3);
            assertThat(rig.cpu.exit().guestPhysical).isEqualTo(other | 0x20);
            assertThat(rig.registers.paging.cr3()).isEqualTo(root);
            assertThat(rig.vmcs.guestCr3).isEqualTo(root);
            rig.enter();
        }
        rig.eptMap(top, other, other, 1 | Rig.EPT_WB);
        assertThat(rig.cpu.movToCr3(other)).as("R alone is enough, and no dirty flag is set").isEqualTo(Outcome.DONE);
        assertThat(rig.memory.load64(rig.eptSlot(top, other, 1)) & 0x200).isZero();
    }

    @Test
    @DisplayName("T03 EPT misconfiguration on the load of PDPTEs")
    void misconfiguration() {
        long top = rig.ept(0);
        rig.eptIdentity(top, 4 << 20, 1);
        rig.enter();
        long other = rig.frame();
        rig.eptMap(top, other, other, 2 | Rig.EPT_WB);
        assertThat(rig.cpu.movToCr3(other)).isEqualTo(Outcome.EXIT);
        assertThat(ExitReason.of(rig.cpu.exit().reason)).isEqualTo(ExitReason.EPT_MISCONFIG);
        assertThat(rig.cpu.exit().guestPhysical).isEqualTo(other);
    }

    @Test
    @DisplayName("T03 the table is read at the hpa of its gpa")
    void translatedTable() {
        long top = rig.ept(0);
        rig.eptIdentity(top, 4 << 20, 1);
        rig.enter();
        long at = rig.frame();
        rig.memory.store64(at + 16, rig.get(root, GVA, 3));
        rig.eptMap(top, 0x7000_0000L, at, 1 | Rig.EPT_WB);
        assertThat(rig.cpu.movToCr3(0x7000_0000L)).isEqualTo(Outcome.DONE);
        assertThat(rig.use(GVA, Rig.SR)).isEqualTo(0x7000);
    }

    @Test
    @DisplayName("T03 under nested paging PDPTEs are read in each walk: a change is seen, reserved bits are a page fault of the access")
    void onDemand() {
        rig.nptIdentity(rig.npt(Layout.FOUR_LEVEL), 4 << 20, 1);
        rig.registers.paging = rig.registers.paging.withPdptes(Pdptes.NONE);
        rig.vmrun();
        assertThat(rig.use(GVA, Rig.SR)).isEqualTo(0x7000);
        assertThat(rig.cpu.statistics().guestReferences()).isEqualTo(3);
        replaceDirectory(0x9000);
        drop();
        assertThat(rig.use(GVA, Rig.SR)).isEqualTo(0x9000);
        assertThat(rig.get(root, GVA, 3) & 0xfff).as("a PDPTE has no accessed flag").isEqualTo(Rig.P);
        for (int bit : new int[] {1, 2, 5, 6, 7, 8, 40, 63}) {
            long gva = 0x4000_0000L;
            rig.put(root, gva, 3, 0x7000 | Rig.P | 1L << bit);
            assertThat(rig.cpu.movToCr3(root)).as("no check at the load").isEqualTo(Outcome.DONE);
            rig.expectFault(gva, Rig.SR, 9);
        }
        rig.put(root, 0x4000_0000L, 3, 0);
        rig.expectFault(0x4000_0000L, Rig.UW, 6);
    }

    @Test
    @DisplayName("T03 a PDPTE that the nested tables do not map: nested page fault of the access, as of a table walk")
    void onDemandFault() {
        long top = rig.npt(Layout.FOUR_LEVEL);
        rig.nptIdentity(top, 4 << 20, 1);
        rig.nptPut(top, root, 1, 0);
        rig.vmrun();
        assertThat(rig.use(GVA, Rig.SR)).isEqualTo(Processor.EXIT);
        assertThat(rig.vmcb.exitCode).isEqualTo(Vmcb.VMEXIT_NPF);
        assertThat(rig.vmcb.exitInfo1).isEqualTo(1L << 33 | 6);
        assertThat(rig.vmcb.exitInfo2).isEqualTo(root + 16);
    }

    @Test
    @DisplayName("T03 paging on and off again by way of the registers")
    void offAndOn() {
        assertThat(rig.cpu.movToCr0(rig.registers.paging.cr0() & ~PG)).isEqualTo(Outcome.DONE);
        assertThat(rig.use(GVA, Rig.SR)).isEqualTo(GVA);
        replaceDirectory(0x9000);
        assertThat(rig.cpu.movToCr0(rig.registers.paging.cr0() | PG)).isEqualTo(Outcome.DONE);
        assertThat(rig.use(GVA, Rig.SR)).isEqualTo(0x9000);
    }
}
