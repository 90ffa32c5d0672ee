package org.penumbra.vmx.memory;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import net.jqwik.api.ForAll;
import net.jqwik.api.Label;
import net.jqwik.api.Property;
import org.penumbra.api.memory.LeaseException;
import org.penumbra.api.memory.PhysicalMemory;

class FramePoolPropertyTest {
    private static final long FRAMES = 2100;
    /** Frame 0 is nobody's. */
    private static final long GIVEN = FRAMES - 1;

    @Property(tries = 100)
    @Label("H02 frames and blocks are handed out once each, blocks that came back whole serve again, and no frame is lost")
    void pool(@ForAll long seed) {
        Random random = new Random(seed);
        FramePool pool = new FramePool(new PhysicalMemory(FRAMES << 12));
        Set<Long> held = new HashSet<>();
        List<Long> order = new ArrayList<>();
        for (int i = 0; i < 3000; i++) {
            int what = random.nextInt(200);
            if (what == 0) {
                long first = pool.allocateBlock(FramePool.GUEST);
                for (long pfn = first; first >= 0 && pfn < first + 512; pfn++) {
                    assertThat(held.add(pfn)).as("handed out twice").isTrue();
                    order.add(pfn);
                }
                assertThat(first < 0 || first % 512 == 0).isTrue();
            } else if (what == 1) {
                // All of it comes back: then there are whole blocks again.
                order.forEach(pool::free);
                order.clear();
                held.clear();
            } else if (what < 110 || order.isEmpty()) {
                try {
                    long pfn = pool.allocate(FramePool.GUEST);
                    assertThat(held.add(pfn)).as("handed out twice").isTrue();
                    order.add(pfn);
                } catch (LeaseException e) {
                    assertThat(held).hasSize((int) GIVEN);
                }
            } else {
                long pfn = order.remove(random.nextInt(order.size()));
                held.remove(pfn);
                pool.free(pfn);
            }
            assertThat(pool.used()).isEqualTo(held.size());
        }
        order.forEach(pool::free);
        for (long n = 0; n < GIVEN; n++) {
            assertThat(pool.allocate(FramePool.SWAP)).as("S24: an empty entry names frame 0").isPositive();
        }
        assertThat(pool.used()).isEqualTo(GIVEN);
    }
}
