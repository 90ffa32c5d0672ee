package org.penumbra.api.memory;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import net.jqwik.api.ForAll;
import net.jqwik.api.Label;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

class PhysicalMemoryPropertyTest {
    @Property
    @Label("H02 every width at every offset reads back little-endian, and touches no other byte")
    void widths(@ForAll @IntRange(max = 4088) int offset, @ForAll @IntRange(min = 1, max = 8) int width, @ForAll long value) {
        PhysicalMemory memory = new PhysicalMemory(8192);
        byte[] model = new byte[8192];
        Arrays.fill(model, (byte) 0x5a);
        for (int i = 0; i < 8192; i += 8) {
            memory.store64(i, 0x5a5a_5a5a_5a5a_5a5aL);
        }
        memory.store(offset, width, value);
        for (int i = 0; i < width; i++) {
            model[offset + i] = (byte) (value >>> 8 * i);
        }
        for (int i = 0; i < 8192; i++) {
            assertThat((byte) memory.load(i, 1)).as("byte %d", i).isEqualTo(model[i]);
        }
        assertThat(memory.load(offset, width)).isEqualTo(width == 8 ? value : value & (1L << 8 * width) - 1);
    }
}
