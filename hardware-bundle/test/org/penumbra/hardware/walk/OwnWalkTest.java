package org.penumbra.hardware.walk;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.paging.EntryFormat;
import org.penumbra.api.paging.StageWalker;
import org.penumbra.testkit.fixture.FlatProfile;

class OwnWalkTest {
    private static final long TABLE = 0x1000;
    private static final long RW = StageWalker.READ | StageWalker.WRITE | StageWalker.WRITE_BACK;

    private final PhysicalMemory memory = new PhysicalMemory(1 << 20);
    private final CycleClock clock = new CycleClock(new FlatProfile(Map.of()));
    private final WalkMeter meter = new WalkMeter(clock, null);
    private final OwnWalk walk = new OwnWalk(memory, meter);

    /** One table of pages of 4 KiB, indexed by bits 20:12; an entry of 0 is not present. */
    private interface OneTable extends StageWalker {
        @Override
        default EntryFormat format() {
            throw new IllegalStateException("nobody watches");
        }

        @Override
        default void walk(long register, long gpa, Walk into) {
            long entry = into.load(1, register + (gpa >>> 12 << 3));
            if (entry != 0) {
                found(entry, into);
            }
        }

        void found(long entry, Walk into);
    }

    private int run(long gpa, long needed, OneTable walker) {
        return walk.run(walker, TABLE, gpa, needed);
    }

    @Test
    @DisplayName("P09 a walker of a design's own finds pages and rights in memory; each entry it reads is counted and charged")
    void found() {
        memory.store64(TABLE + 8, 0x5000);
        OneTable walker = (entry, into) -> into.found(entry, 12, RW);
        assertThat(run(0x1234, StageWalker.READ, walker)).isEqualTo(Walker.DONE);
        assertThat(walk.page).isEqualTo(0x5000);
        assertThat(walk.shift).isEqualTo(12);
        assertThat(run(0x1234, StageWalker.EXECUTE, walker)).isEqualTo(Walker.DENIED);
        assertThat(run(0x2000, StageWalker.READ, walker)).isEqualTo(Walker.NOT_PRESENT);
        assertThat(walk.rights).isZero();
        assertThat(walk.references).isEqualTo(3);
        long before = clock.total();
        meter.settle();
        assertThat(clock.total()).isGreaterThan(before);
    }

    @Test
    @DisplayName("P09 what a walker of a design's own cannot mean is a malformed structure")
    void malformed() {
        memory.store64(TABLE, 0x5000);
        assertThat(run(0, StageWalker.READ, (entry, into) -> into.malformed())).isEqualTo(Walker.MALFORMED);
        assertThat(run(0, StageWalker.READ, (entry, into) -> into.found(entry | 0x10, 12, RW))).isEqualTo(Walker.MALFORMED);
        assertThat(run(0, StageWalker.READ, (entry, into) -> into.found(entry, 21, RW))).as("5000h is no 2 MiB page").isEqualTo(Walker.MALFORMED);
        assertThat(run(0, StageWalker.READ, (entry, into) -> into.found(entry, 13, RW))).isEqualTo(Walker.MALFORMED);
        assertThat(run(0, StageWalker.WRITE, (entry, into) -> into.found(entry, 12, StageWalker.WRITE))).as("writable, not readable")
                .isEqualTo(Walker.MALFORMED);
        assertThat(run(0, StageWalker.READ, (entry, into) -> {
            throw new IllegalStateException("a defect of the plugin");
        })).isEqualTo(Walker.MALFORMED);
    }
}
