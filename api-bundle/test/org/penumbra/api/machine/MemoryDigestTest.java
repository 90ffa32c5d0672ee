package org.penumbra.api.machine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.function.LongUnaryOperator;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.memory.PhysicalMemory;

class MemoryDigestTest {
    private static final long BYTES = 16 << 12;

    private static long digest(PhysicalMemory memory, LongUnaryOperator gpaToHpa) {
        return MemoryDigest.of(BYTES, memory, gpaToHpa);
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
        long plain = digest(memory(0x1008, 5, 0x2000, 0), gpa -> gpa);
        assertThat(digest(memory(0x5008, 5), gpa -> gpa == 0x1000 ? 0x5000 : gpa == 0x5000 ? -1 : gpa)).isEqualTo(plain);
        assertThat(digest(memory(0x1008, 5), gpa -> gpa == 0x1000 ? gpa : -1)).isEqualTo(plain);
    }

    @Test
    @DisplayName("P01 the digest depends on place, value and every bit, differences that could cancel included")
    void sensitive() {
        long plain = digest(memory(0x1008, 5), gpa -> gpa);
        assertThat(digest(memory(0x1010, 5), gpa -> gpa)).isNotEqualTo(plain);
        assertThat(digest(memory(0x1008, 4), gpa -> gpa)).isNotEqualTo(plain);
        long top = 1L << 63;
        assertThat(digest(memory(0, 1 | top, 8, 2 | top), gpa -> gpa)).isNotEqualTo(digest(memory(0, 1, 8, 2), gpa -> gpa));
    }
}
