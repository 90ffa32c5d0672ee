package org.penumbra.api.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.IntConsumer;
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
        together(at -> {
            for (int i = 1; i <= 200_000; i++) {
                memory.store(at, 1, i);
                if ((memory.load(at, 1) & 0xff) != (i & 0xff)) {
                    throw new IllegalStateException("byte " + at + " lost a store");
                }
            }
        });
    }

    @Test
    @DisplayName("H02 a compare-and-set of 4 bytes loses no store to them, and fails for none beside them")
    void narrow() throws InterruptedException {
        PhysicalMemory memory = new PhysicalMemory(4096);
        memory.store64(8, 0x1122_3344_5566_7788L);
        assertThat(memory.compareAndSet(12, 4, 0x1122_3345, 0)).isFalse();
        assertThat(memory.compareAndSet(12, 4, 0xffff_ffff_1122_3344L, 0xffff_ffff_99aa_bbccL)).isTrue();
        assertThat(memory.load64(8)).isEqualTo(0x99aa_bbcc_5566_7788L);
        memory.store64(8, 0);
        together(thread -> {
            for (int i = 0; i < 100_000; i++) {
                memory.store(8, 1, i);
                long old;
                do {
                    old = memory.load(12, 4);
                } while (!memory.compareAndSet(12, 4, old, old + 1));
            }
        });
        assertThat(memory.load(12, 4)).isEqualTo(200_000);
    }

    /** Has two threads, 0 and 1, do {@code work} at the same time. */
    private static void together(IntConsumer work) throws InterruptedException {
        CountDownLatch start = new CountDownLatch(1);
        AtomicReference<Throwable> failure = new AtomicReference<>();
        Thread[] threads = new Thread[2];
        for (int t = 0; t < 2; t++) {
            int number = t;
            threads[t] = new Thread(() -> {
                try {
                    start.await();
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
                work.accept(number);
            });
            threads[t].setUncaughtExceptionHandler((thread, e) -> failure.set(e));
            threads[t].start();
        }
        start.countDown();
        for (Thread t : threads) {
            t.join();
        }
        assertThat(failure.get()).isNull();
    }
}
