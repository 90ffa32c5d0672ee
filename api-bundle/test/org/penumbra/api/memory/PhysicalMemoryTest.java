package org.penumbra.api.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class PhysicalMemoryTest {
    @Property
    @DisplayName("H02 every width at every offset reads back little-endian, and touches no other byte")
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

    @Test
    @DisplayName("H02 a terabyte costs what is touched")
    void sparse() {
        PhysicalMemory memory = new PhysicalMemory(1L << 40);
        assertThat(memory.load64((1L << 40) - 8)).isZero();
        assertThat(memory.residentFrames()).isZero();
        memory.store64((1L << 40) - 8, 7);
        assertThat(memory.load64((1L << 40) - 8)).isEqualTo(7);
        assertThat(memory.residentFrames()).isEqualTo(1);
        memory.clearFrame((1L << 40) - 8);
        assertThat(memory.load64((1L << 40) - 8)).isZero();
        assertThat(memory.residentFrames()).isZero();
    }

    @Test
    @DisplayName("H04 an address beyond the memory is refused with the address and the size")
    void beyond() {
        PhysicalMemory memory = new PhysicalMemory(4096);
        assertThatThrownBy(() -> memory.load64(4096)).isInstanceOf(PhysicalAddressException.class).hasMessageContaining("0x1000");
        assertThatThrownBy(() -> memory.store64(-8, 1)).isInstanceOf(PhysicalAddressException.class);
        assertThatThrownBy(() -> new PhysicalMemory(100)).hasMessageContaining("multiple of 4096");
    }

    @Test
    @DisplayName("H02 byte stores of two threads to one 8-byte word lose nothing")
    void neighbours() throws InterruptedException {
        PhysicalMemory memory = new PhysicalMemory(4096);
        CountDownLatch start = new CountDownLatch(1);
        Thread[] threads = new Thread[2];
        for (int t = 0; t < 2; t++) {
            int at = t;
            threads[t] = new Thread(() -> {
                try {
                    start.await();
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
                for (int i = 1; i <= 200_000; i++) {
                    memory.store(at, 1, i);
                    if ((memory.load(at, 1) & 0xff) != (i & 0xff)) {
                        throw new IllegalStateException("byte " + at + " lost a store");
                    }
                }
            });
        }
        AtomicReference<Throwable> failure = new AtomicReference<>();
        for (Thread t : threads) {
            t.setUncaughtExceptionHandler((thread, e) -> failure.set(e));
            t.start();
        }
        start.countDown();
        for (Thread t : threads) {
            t.join();
        }
        assertThat(failure.get()).isNull();
    }
}
