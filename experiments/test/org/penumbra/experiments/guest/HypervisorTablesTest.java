package org.penumbra.experiments.guest;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.guest.StepBuffer;
import org.penumbra.api.paging.PagingMode;

/** What a walk of the tables finds (SDM vol. 3, "4-Level Paging and 5-Level Paging"), once the steps are executed in order. */
class HypervisorTablesTest {
    private static final long POINTER = 7;
    private static final long SMALL = 0x40_1000 | 7;
    private static final long LARGE = 0x60_0000 | 0x87;
    private static final long GIANT = 0x4000_0000 | 0x87;
    private static final long GVA = 0x7f12_3456_7000L;

    private final GuestLayout layout = GuestLayout.of(PagingMode.FOUR_LEVEL);
    private final FrameAllocator frames = new FrameAllocator("the test needs more than it has of", 512, GuestLayout.FREE_FRAMES, 64 << 20);
    private final HypervisorTables tables = new HypervisorTables(frames, layout, POINTER);
    /** By gpa. */
    private final Map<Long, Long> memory = new HashMap<>();
    private long root;

    @BeforeEach
    void begin() {
        StepBuffer out = new StepBuffer(64);
        root = tables.begin(out);
        execute(out);
    }

    @Test
    @DisplayName("a page is mapped and unmapped beside others")
    void maps() {
        map(GVA, 1, SMALL);
        map(GVA + 0x1000, 1, SMALL + 0x1000);
        assertThat(walk(GVA)).isEqualTo(SMALL);
        unmap(GVA);
        assertThat(walk(GVA)).isZero();
        assertThat(walk(GVA + 0x1000)).isEqualTo(SMALL + 0x1000);
    }

    @Test
    @DisplayName("a large page in the place of small ones is unmapped itself, and small ones can follow it")
    void largeAfterSmall() {
        map(GVA, 1, SMALL);
        assertThat(map(GVA, 2, LARGE)).as("tables are given up").isTrue();
        assertThat(walk(GVA)).isEqualTo(LARGE);
        unmap(GVA);
        assertThat(walk(GVA)).isZero();
        assertThat(map(GVA, 1, SMALL)).isFalse();
        assertThat(walk(GVA)).isEqualTo(SMALL);
    }

    @Test
    @DisplayName("a page of 1 GiB takes the place of tables of two levels, and leaves those beside it")
    void giantAfterSmall() {
        map(GVA, 1, SMALL);
        map(GVA + (1L << 30), 1, SMALL);
        assertThat(map(GVA, 3, GIANT)).isTrue();
        unmap(GVA);
        map(GVA, 1, SMALL + 0x1000);
        assertThat(walk(GVA)).isEqualTo(SMALL + 0x1000);
        assertThat(walk(GVA + (1L << 30))).isEqualTo(SMALL);
    }

    private boolean map(long gva, int level, long entry) {
        StepBuffer out = new StepBuffer(64);
        boolean replaced = tables.map(gva, level, entry, out);
        execute(out);
        return replaced;
    }

    private void unmap(long gva) {
        StepBuffer out = new StepBuffer(64);
        tables.unmap(gva, out);
        execute(out);
    }

    private void execute(StepBuffer out) {
        for (int i = 0; i < out.count; i++) {
            if (out.kind[i] == StepBuffer.STORE) {
                long first = out.address[i] - layout.direct(0);
                for (long gpa = first; gpa < first + out.width[i]; gpa += 8) {
                    memory.put(gpa, out.value[i]);
                }
            }
        }
    }

    /** The entry at which a walk ends. */
    private long walk(long gva) {
        long table = root;
        for (int level = 4;; level--) {
            long entry = memory.get(table + 8 * (gva >>> 12 + 9 * (level - 1) & 511));
            if (entry == 0 || level == 1 || (entry & 0x80) != 0) {
                return entry;
            }
            table = entry & 0x000f_ffff_ffff_f000L;
        }
    }
}
