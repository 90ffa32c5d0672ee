package org.penumbra.hardware.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.clock.Work;

/** SDM vol. 3, "Accessed and Dirty Flags". */
class AccessedDirtyTest {
    private static final long GVA = 0x12_3456_7000L;
    private static final long USED = Rig.P | Rig.W | Rig.U | Rig.A;

    @Test
    @DisplayName("T07 a read sets A at every level used and D nowhere; a write then sets D on the page and only there")
    void readThenWrite() {
        Rig rig = new Rig();
        long root = rig.longMode();
        rig.map(root, GVA, 0x5000, Rig.P | Rig.W | Rig.U);
        rig.use(GVA, Rig.SR);
        for (int level = 1; level <= 4; level++) {
            assertThat(rig.entry(root, GVA, level) & ~Rig.ADDRESS).as("level %d", level).isEqualTo(USED);
        }
        assertThat(rig.cpu.cycles().events(Work.WALK_UPDATE)).isEqualTo(4);
        rig.use(GVA, Rig.SW);
        assertThat(rig.entry(root, GVA, 1)).isEqualTo(0x5000 | USED | Rig.D);
        for (int level = 2; level <= 4; level++) {
            assertThat(rig.entry(root, GVA, level) & ~Rig.ADDRESS).as("level %d", level).isEqualTo(USED);
        }
        assertThat(rig.cpu.cycles().events(Work.WALK_UPDATE)).isEqualTo(5);
        long walks = rig.walks();
        rig.use(GVA, Rig.SW);
        assertThat(rig.walks()).as("D is set, the translation may be used for writes").isEqualTo(walks);
    }

    @Test
    @DisplayName("T07 a 2 MiB page has A and D in its level-2 entry")
    void largePage() {
        Rig rig = new Rig();
        long root = rig.longMode();
        rig.mapLarge(root, GVA, 0x20_0000, Rig.P | Rig.W, 2);
        rig.use(GVA, Rig.SR);
        assertThat(rig.entry(root, GVA, 2)).isEqualTo(0x20_0000 | Rig.P | Rig.W | Rig.PS | Rig.A);
        rig.use(GVA, Rig.SW);
        assertThat(rig.entry(root, GVA, 2)).isEqualTo(0x20_0000 | Rig.P | Rig.W | Rig.PS | Rig.A | Rig.D);
        assertThat(rig.entry(root, GVA, 3) & Rig.D).isZero();
    }

    @Test
    @DisplayName("T07 a fault sets neither A nor D: the choice among what the SDM leaves to the model")
    void faultSetsNothing() {
        Rig rig = new Rig();
        long root = rig.longMode();
        rig.map(root, GVA, 0x5000, Rig.P | Rig.U);
        rig.expectFault(GVA, Rig.UW, 7);
        rig.map(root, GVA + 0x1000, 0, 0);
        rig.expectFault(GVA + 0x1000, Rig.SR, 0);
        for (int level = 1; level <= 4; level++) {
            assertThat(rig.entry(root, GVA, level) & (Rig.A | Rig.D)).as("level %d", level).isZero();
        }
    }

    @Test
    @DisplayName("T07 flags that software clears without an invalidation stay clear while the translation is cached")
    void cachedTranslationDoesNotSetFlags() {
        Rig rig = new Rig();
        long root = rig.longMode();
        rig.map(root, GVA, 0x5000, Rig.P | Rig.W | Rig.U);
        rig.use(GVA, Rig.SW);
        rig.map(root, GVA, 0x5000, Rig.P | Rig.W | Rig.U);
        rig.use(GVA, Rig.SW);
        assertThat(rig.entry(root, GVA, 1)).isEqualTo(0x5000 | Rig.P | Rig.W | Rig.U);
        rig.cpu.invlpg(GVA);
        rig.use(GVA, Rig.SW);
        assertThat(rig.entry(root, GVA, 1)).isEqualTo(0x5000 | USED | Rig.D);
    }

    @Test
    @DisplayName("T07 flags are set by compare-and-set: a concurrent change of the entry is never lost")
    void concurrentChange() throws InterruptedException {
        Rig rig = new Rig();
        long root = rig.longMode();
        rig.map(root, GVA, 0x5000, Rig.P | Rig.W | Rig.U);
        long slot = rig.slot(root, GVA, 1);
        int changes = 200_000;
        Thread other = new Thread(() -> {
            for (int i = 0; i < changes; i++) {
                long old;
                do {
                    old = rig.memory.load64(slot);
                } while (!rig.memory.compareAndSet64(slot, old, old + (1L << 52) & ~(Rig.A | Rig.D)));
                Thread.onSpinWait();
            }
        });
        other.start();
        while (other.isAlive()) {
            rig.cpu.invlpg(GVA);
            assertThat(rig.use(GVA, Rig.SW)).isEqualTo(0x5000);
        }
        other.join();
        assertThat(rig.memory.load64(slot) >>> 52).as("bits 63:52, counted by the other side").isEqualTo(changes & 0xfff);
    }
}
