package org.penumbra.devices.descriptor;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigInteger;
import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Label;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.Tuple;
import net.jqwik.api.constraints.IntRange;
import org.penumbra.api.interrupt.Descriptor;
import org.penumbra.api.interrupt.EventDescriptor;

class EventDescriptorPropertyTest {
    private static final BigInteger MOST = BigInteger.TWO.pow(64).subtract(BigInteger.TWO);

    /** Values for write; 2^64-1, which it refuses, stands for a signal, and 0 for a read as often as for a write. */
    @Provide
    Arbitrary<List<Long>> values() {
        return Arbitraries.frequencyOf(
                        Tuple.of(4, Arbitraries.longs().between(0, 3)),
                        Tuple.of(2, Arbitraries.longs()),
                        Tuple.of(3, Arbitraries.longs().between(-4, -1)))
                .list()
                .ofMaxSize(60);
    }

    @Property
    @Label("I01 the counter is that of unbounded arithmetic with the limits of eventfd, after any calls")
    void model(@ForAll("values") List<Long> values, @ForAll @IntRange(max = 5) int initial, @ForAll boolean semaphore) {
        EventDescriptor e = new DescriptorService().event(initial, semaphore);
        BigInteger count = BigInteger.valueOf(initial);
        boolean read = false;
        for (long value : values) {
            if (value == -1) {
                boolean full = count.compareTo(MOST) > 0;
                assertThat(e.signal()).isEqualTo(full ? 0 : 1);
                count = full ? count : count.add(BigInteger.ONE);
            } else if (value == 0 && (read = !read)) {
                BigInteger expected = semaphore ? count.min(BigInteger.ONE) : count;
                assertThat(new BigInteger(Long.toUnsignedString(e.tryRead()))).isEqualTo(expected);
                count = count.subtract(expected);
            } else {
                BigInteger sum = count.add(new BigInteger(Long.toUnsignedString(value)));
                boolean fits = sum.compareTo(MOST) <= 0;
                assertThat(e.tryWrite(value)).isEqualTo(fits);
                count = fits ? sum : count;
            }
            int poll = (count.signum() > 0 ? Descriptor.POLLIN : 0)
                    | (count.compareTo(MOST) < 0 ? Descriptor.POLLOUT : 0)
                    | (count.compareTo(MOST) > 0 ? Descriptor.POLLERR : 0);
            assertThat(e.poll()).isEqualTo(poll);
        }
    }
}
