package org.penumbra.hardware.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.penumbra.api.clock.Work;
import org.penumbra.api.cpu.Outcome;

/** SDM vol. 3, "32-Bit Paging": entries of 4 bytes, bits 31:22 and 21:12 of the address, no XD and no keys. CR4.PSE is bit 4. */
class ThirtyTwoBitPagingTest {
    private static final long GVA = 0xc060_3000L;
    private static final long PSE = 1 << 4;

    private Rig rig;
    private long root;

    @BeforeEach
    void machine() {
        start(new Rig());
    }

    private void start(Rig fresh) {
        rig = fresh;
        root = rig.paging(Layout.BITS_32);
    }

    @Test
    @DisplayName("T02 4 KiB pages: two references, entries of 4 bytes")
    void smallPages() {
        rig.put(root, GVA, 1, 0xfedc_b000L | Rig.P | Rig.W | Rig.U);
        rig.put(root, GVA + 0x1000, 1, 0x7000 | Rig.P);
        assertThat(rig.use(GVA + 0x123, Rig.UW)).isEqualTo(0xfedc_b123L);
        assertThat(rig.cpu.statistics().guestReferences()).isEqualTo(2);
        assertThat(rig.use(GVA + 0x1fff, Rig.SR)).isEqualTo(0x7fff);
        assertThat(rig.cpu.statistics().guestReferences()).as("PDE cache").isEqualTo(3);
        assertThat(rig.get(root, GVA, 2) & 0xfff).isEqualTo(Rig.P | Rig.W | Rig.U | Rig.A);
        assertThat(rig.get(root, GVA, 1)).isEqualTo(0xfedc_b000L | Rig.P | Rig.W | Rig.U | Rig.A | Rig.D);
    }

    @Test
    @DisplayName("T02 a PDE with PS maps 4 MiB with CR4.PSE = 1, and refers to a page table with CR4.PSE = 0")
    void pageSizeExtensions() {
        rig.put(root, GVA, 1, 0x7000 | Rig.P);
        long pde = rig.get(root, GVA, 2) | Rig.PS;
        rig.put(root, GVA, 2, pde);
        assertThat(rig.use(GVA, Rig.SR)).as("PSE = 0: PS is ignored").isEqualTo(0x7000);
        rig.put(root, GVA, 2, 0x0180_0000L | Rig.P | Rig.W | Rig.PS);
        assertThat(rig.cpu.movToCr4(PSE)).isEqualTo(Outcome.DONE);
        assertThat(rig.use(GVA, Rig.SW)).isEqualTo(0x0180_0000L | GVA & 0x3f_ffff);
        assertThat(rig.get(root, GVA, 2)).isEqualTo(0x0180_0000L | Rig.P | Rig.W | Rig.PS | Rig.A | Rig.D);
        assertThat(rig.use(0xc040_0abcL, Rig.SR)).as("the other half of the page").isEqualTo(0x0180_0abcL);
        assertThat(rig.use(0xc07f_ffffL, Rig.SR)).isEqualTo(0x01bf_ffffL);
        assertThat(rig.walks()).as("one before, and one for each half").isEqualTo(3);
    }

    /** SDM vol. 3, table "Format of a 32-Bit Page-Directory Entry that Maps a 4-MByte Page": bits 20:13 hold bits 39:32 of the address. */
    @ParameterizedTest(name = "T02 PSE-36 with MAXPHYADDR {0}: PDE bit {1} gives address bit {2}, reserved: {3}")
    @CsvSource({"40, 13, 32, false", "40, 20, 39, false", "40, 21, 0, true", "36, 16, 35, false", "36, 17, 0, true", "36, 20, 0, true",
        "36, 21, 0, true", "52, 20, 39, false", "52, 21, 0, true", "40, 12, 0, false"})
    void pse36(int maxPhysicalBits, int bit, int addressBit, boolean reserved) {
        start(new Rig(new TestProfile().set("cpu.maxphyaddr", maxPhysicalBits)));
        rig.cr4(PSE);
        rig.put(root, GVA, 2, 0x0180_0000L | Rig.P | Rig.U | Rig.PS | 1L << bit);
        if (reserved) {
            rig.expectFault(GVA, Rig.SR, 9);
            rig.expectFault(GVA, Rig.UW, 0xf);
        } else {
            long high = addressBit == 0 ? 0 : 1L << addressBit;
            assertThat(rig.use(GVA + 5, Rig.SR)).isEqualTo(high | 0x0180_0005L | GVA & 0x3f_f000);
        }
    }

    @Test
    @DisplayName("T02 no bit is reserved in entries that map 4 KiB pages or refer to tables")
    void nothingElseReserved() {
        rig.cr4(PSE);
        rig.put(root, GVA, 1, 0x7000 | Rig.P | 0xe80);
        rig.put(root, GVA, 2, rig.get(root, GVA, 2) | 0xe40);
        assertThat(rig.use(GVA, Rig.SR)).isEqualTo(0x7000);
    }

    @Test
    @DisplayName("T06 32-bit paging has no execute-disable: EFER.NXE changes nothing, but SMEP does; I/D is reported with SMEP only")
    void noExecuteDisable() {
        rig.efer(0x800);
        rig.put(root, GVA, 1, 0x7000 | Rig.P | Rig.U);
        assertThat(rig.use(GVA, Rig.SF)).isEqualTo(0x7000);
        assertThat(rig.use(GVA, Rig.UF)).isEqualTo(0x7000);
        rig.put(root, GVA + 0x1000, 1, 0x7000 | Rig.P);
        rig.expectFault(GVA + 0x1000, Rig.UF, 5);
        rig.cpu.movToCr4(1 << 20);
        rig.expectFault(GVA, Rig.SF, 0x11);
        rig.expectFault(GVA + 0x1000, Rig.UF, 0x15);
    }

    @Test
    @DisplayName("T06 32-bit paging has no protection keys, with PKE = 1 or not")
    void noKeys() {
        rig.keys(-1, -1);
        rig.cr4(1 << 22 | 1 << 24);
        rig.put(root, GVA, 1, 0x7000 | Rig.P | Rig.U | Rig.W);
        assertThat(rig.use(GVA, Rig.UW)).isEqualTo(0x7000);
    }

    @Test
    @DisplayName("T02 a flag update of one entry leaves the other entry of the same 8 bytes as it is")
    void neighbourStays() {
        for (int i = 0; i < 2; i++) {
            long gva = GVA ^ 0x1000 * i;
            long other = gva ^ 0x1000;
            assertThat(rig.place(root, gva, 1) ^ rig.place(root, other, 1)).isEqualTo(4);
            rig.put(root, gva, 1, 0x7000 | Rig.P | Rig.W);
            rig.put(root, other, 1, 0xffff_fffeL);
            rig.cpu.invlpg(gva);
            rig.use(gva, Rig.SW);
            assertThat(rig.get(root, gva, 1)).isEqualTo(0x7000 | Rig.P | Rig.W | Rig.A | Rig.D);
            assertThat(rig.get(root, other, 1)).isEqualTo(0xffff_fffeL);
        }
    }

    @Test
    @DisplayName("T02 no flag and no change is lost while another processor changes the other entry of the same 8 bytes")
    void neighbourRaces() throws InterruptedException {
        rig.put(root, GVA, 1, 0x7000 | Rig.P | Rig.W);
        long mine = rig.place(root, GVA, 1);
        long theirs = rig.place(root, GVA ^ 0x1000, 1);
        assertThat(mine & ~7).isEqualTo(theirs & ~7);
        int changes = 300_000;
        AtomicInteger lost = new AtomicInteger();
        Thread other = new Thread(() -> {
            for (int i = 1; i <= changes; i++) {
                if (rig.memory.load(theirs, 4) != i - 1) {
                    lost.incrementAndGet();
                }
                rig.memory.store(theirs, 4, i);
                for (int n = 0; n < 20; n++) {
                    Thread.onSpinWait();
                }
            }
        });
        other.start();
        long updates = 0;
        while (other.isAlive()) {
            rig.memory.store(mine, 4, 0x7000 | Rig.P | Rig.W);
            rig.cpu.invlpg(GVA);
            assertThat(rig.use(GVA, Rig.SW)).isEqualTo(0x7000);
            assertThat(rig.memory.load(mine, 4)).as("flags after a write").isEqualTo(0x7000 | Rig.P | Rig.W | Rig.A | Rig.D);
            updates++;
        }
        other.join();
        assertThat(lost.get()).as("changes that the walker has overwritten").isZero();
        assertThat(rig.memory.load(theirs, 4)).isEqualTo(changes);
        assertThat(rig.cpu.cycles().events(Work.WALK_UPDATE)).as("one per page and once the PDE").isEqualTo(updates + 1);
    }

    @Test
    @DisplayName("T02 bits 31:12 of CR3 name the page directory")
    void root() {
        rig.put(root, GVA, 1, 0x7000 | Rig.P);
        assertThat(rig.cpu.movToCr3(root | 0xfff)).isEqualTo(Outcome.DONE);
        assertThat(rig.use(GVA, Rig.SR)).isEqualTo(0x7000);
    }

    @Test
    @DisplayName("T02 linear addresses have 32 bits: what is above does not count")
    void wraps() {
        rig.put(root, 0x3000, 1, 0x7000 | Rig.P);
        assertThat(rig.use(0x1_0000_3000L, Rig.SR)).isEqualTo(0x7000);
        rig.put(root, 0x3000, 1, 0x8000 | Rig.P);
        assertThat(rig.use(0x1_0000_3000L, Rig.SR)).as("cached").isEqualTo(0x7000);
        rig.cpu.invlpg(0x1_0000_3000L);
        assertThat(rig.use(0x3000, Rig.SR)).as("INVLPG takes the same address").isEqualTo(0x8000);
    }

    @Test
    @DisplayName("T11 INVLPG of any address of a 4 MiB page drops both halves that are cached")
    void invlpgOfLargePage() {
        rig.cr4(PSE);
        rig.put(root, 0xc000_0000L, 2, 0x0180_0000L | Rig.P | Rig.PS);
        rig.put(root, 0xc040_0000L, 2, 0x0180_0000L | Rig.P | Rig.PS);
        for (long gva : new long[] {0xc000_0000L, 0xc020_0000L, 0xc040_0000L}) {
            rig.use(gva, Rig.SR);
        }
        rig.put(root, 0xc000_0000L, 2, 0x0200_0000L | Rig.P | Rig.PS);
        rig.put(root, 0xc040_0000L, 2, 0x0200_0000L | Rig.P | Rig.PS);
        rig.cpu.invlpg(0xc03f_f000L);
        assertThat(rig.use(0xc000_0000L, Rig.SR)).isEqualTo(0x0200_0000L);
        assertThat(rig.use(0xc020_0000L, Rig.SR)).isEqualTo(0x0220_0000L);
        assertThat(rig.use(0xc040_0000L, Rig.SR)).as("another page").isEqualTo(0x0180_0000L);
    }
}
