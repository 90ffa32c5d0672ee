package org.penumbra.api.machine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import java.time.Duration;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.memory.PhysicalMemory;

class MemoryDigestTest {
    private static final long BYTES = 16 << 12;

    private static long digest(PhysicalMemory memory) {
        return MemoryDigest.of(memory);
    }

    private static PhysicalMemory memory(long... addressesAndValues) {
        PhysicalMemory memory = new PhysicalMemory(BYTES);
        for (int i = 0; i < addressesAndValues.length; i += 2) {
            memory.store64(addressesAndValues[i], addressesAndValues[i + 1]);
        }
        return memory;
    }

    @Test
    @DisplayName("P01 the digest is of the guest's memory, wherever the host keeps it, and of frames that exist or not")
    void placement() {
        long plain = digest(memory(0x1008, 5, 0x2000, 0));
        assertThat(digest(memory(0x1008, 5))).isEqualTo(plain);
        MemoryDigest elsewhere = new MemoryDigest(memory(0x5008, 5));
        elsewhere.frame(0x1000, 0x5000);
        elsewhere.frame(0x2000, 0x7000);
        assertThat(elsewhere.value()).isEqualTo(plain);
    }

    @Test
    @DisplayName("H02 the digest of a terabyte costs what was written")
    void sparse() {
        PhysicalMemory memory = new PhysicalMemory(1L << 40);
        memory.store64((1L << 40) - 8, 7);
        long alone = assertTimeoutPreemptively(Duration.ofSeconds(20), () -> digest(memory));
        MemoryDigest frame = new MemoryDigest(memory);
        frame.frame((1L << 40) - 4096, (1L << 40) - 4096);
        assertThat(alone).isEqualTo(frame.value());
    }

    @Test
    @DisplayName("P01 the digest depends on place, value and every bit, differences that could cancel included")
    void sensitive() {
        long plain = digest(memory(0x1008, 5));
        assertThat(digest(memory(0x1010, 5))).isNotEqualTo(plain);
        assertThat(digest(memory(0x1008, 4))).isNotEqualTo(plain);
        long top = 1L << 63;
        assertThat(digest(memory(0, 1 | top, 8, 2 | top))).isNotEqualTo(digest(memory(0, 1, 8, 2)));
    }
}
