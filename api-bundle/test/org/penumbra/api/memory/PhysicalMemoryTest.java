package org.penumbra.api.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class PhysicalMemoryTest {
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
    @DisplayName("H02 whoever keeps a frame can tell that it is another one, came into being, or was given back")
    void keptFrame() {
        PhysicalMemory memory = new PhysicalMemory(1 << 20);
        long[] none = memory.frame(0x3000);
        assertThat(PhysicalMemory.holds(none, 0x3000)).isFalse();
        assertThat(PhysicalMemory.word(none, 0x3000)).isZero();
        memory.store64(0x3008, 7);
        long[] kept = memory.frame(0x3abc);
        assertThat(PhysicalMemory.holds(kept, 0x3ff8)).isTrue();
        assertThat(PhysicalMemory.holds(kept, 0x4000)).isFalse();
        assertThat(PhysicalMemory.word(kept, 0x3008)).isEqualTo(7);
        memory.clearFrame(0x3000);
        assertThat(PhysicalMemory.holds(kept, 0x3000)).isFalse();
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
