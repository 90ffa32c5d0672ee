package org.penumbra.hardware.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.cpu.MemoryPort;
import org.penumbra.api.cpu.Outcome;

/** Frames of memory that walkers and ports keep are never used for what is there no more. */
class KeptFramesTest {
    private static final long GVA = 0x1234_5678_9000L;

    private final Rig rig = new Rig(TestProfile.bare());
    private final long root = rig.longMode();

    @Test
    @DisplayName("H02 a walk sees that the frame of a table was given back and made again, at every level")
    void tables() {
        rig.map(root, GVA, 0x7000, Rig.P | Rig.W | Rig.U);
        assertThat(rig.use(GVA, Rig.UR)).isEqualTo(0x7000);
        assertThat(rig.use(GVA, Rig.UW)).isEqualTo(0x7000);
        for (int level = 2; level <= 5; level++) {
            long table = level == 5 ? root : rig.entry(root, GVA, level) & Rig.ADDRESS;
            rig.memory.clearFrame(table);
            assertThat(rig.cpu.movToCr3(root)).isEqualTo(Outcome.DONE);
            rig.expectFault(GVA, Rig.SR, 0);
            rig.map(root, GVA, 0x1000L * level, Rig.P | Rig.W | Rig.U);
            assertThat(rig.use(GVA, Rig.SR)).as("level %d", level).isEqualTo(0x1000L * level);
        }
    }

    @Test
    @DisplayName("H02 a load that hits sees that the frame of its page came into being, was given back and made again")
    void page() {
        rig.map(root, GVA, 0x7000, Rig.P | Rig.W | Rig.U);
        MemoryPort port = new MemoryPort(rig.cpu, 0);
        for (long value = 1; value < 4; value++) {
            for (int again = 0; again < 2; again++) {
                assertThat(load(port, GVA + 8, 8)).isZero();
            }
            rig.memory.store64(0x7008, 0x1122_3344_5566_7788L + value);
            assertThat(load(port, GVA + 8, 8)).isEqualTo(0x1122_3344_5566_7788L + value);
            assertThat(load(port, GVA + 11, 3)).isEqualTo(0x33_4455);
            rig.memory.clearFrame(0x7000);
        }
        assertThat(rig.walks()).isEqualTo(1);
    }

    private static long load(MemoryPort port, long gva, int width) {
        assertThat(port.load(gva, width, Rig.SR)).isEqualTo(Outcome.DONE);
        return port.value;
    }
}
