package org.penumbra.api.memory;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import net.jqwik.api.ForAll;
import net.jqwik.api.Label;
import net.jqwik.api.Property;

class PhysicalMemoryModelPropertyTest {
    /** Frames that are neighbours, and frames whose numbers agree in their low bits, so that they meet in any table of recent ones. */
    private static final long[] FRAMES = {0, 1, 4096, 4097, 8192, 1 << 20, (1 << 20) + 4096, (1L << 28) - 1};

    @Property(tries = 200)
    @Label("H02 memory holds what was stored last; a cleared frame reads as zero and costs nothing, whatever was looked at before")
    void model(@ForAll long seed) {
        Random random = new Random(seed);
        PhysicalMemory memory = new PhysicalMemory(1L << 40);
        Map<Long, Long> words = new HashMap<>();
        Set<Long> resident = new HashSet<>();
        for (int step = 0; step < 400; step++) {
            long frame = FRAMES[random.nextInt(FRAMES.length)];
            long at = frame << 12 | random.nextInt(4) * 1360L & ~7L;
            long value = random.nextLong();
            long old = words.getOrDefault(at, 0L);
            switch (random.nextInt(8)) {
                case 0:
                    memory.clearFrame(at);
                    words.keySet().removeIf(a -> a >>> 12 == frame);
                    resident.remove(frame);
                    break;
                case 1:
                    memory.store64(at, value);
                    words.put(at, value);
                    resident.add(frame);
                    break;
                case 2:
                    boolean right = random.nextBoolean();
                    assertThat(memory.compareAndSet64(at, right ? old : ~old, value)).isEqualTo(right);
                    words.put(at, right ? value : old);
                    resident.add(frame);
                    break;
                case 3:
                    memory.store(at + 4, 4, value);
                    words.put(at, old & 0xffff_ffffL | value << 32);
                    resident.add(frame);
                    break;
                default:
                    assertThat(memory.load64(at)).isEqualTo(old);
                    assertThat(memory.load(at + 4, 4)).isEqualTo(old >>> 32);
            }
        }
        assertThat(memory.residentFrames()).isEqualTo(resident.size());
        words.forEach((at, value) -> assertThat(memory.load64(at)).isEqualTo(value));
    }
}
