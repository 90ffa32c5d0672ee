package org.penumbra.devices;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Label;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.penumbra.api.device.IoPorts;
import org.penumbra.api.device.IoPorts.Bus;
import org.penumbra.api.interrupt.ErrnoException;
import org.penumbra.api.interrupt.EventDescriptor;
import org.penumbra.devices.descriptor.DescriptorService;

class IoEventPropertyTest {
    /** A registration; {@code value} −1 for any. */
    record Wish(Bus bus, long address, int length, int value) {
        boolean matches(Bus b, long a, int width, int v) {
            return bus == b && address == a && (length == 0 || length == width && (value < 0 || value == v));
        }
    }

    private static final int[] LENGTHS = {0, 1, 2, 4, 8};

    @Provide
    Arbitrary<List<Wish>> wishes() {
        return Combinators.combine(
                        Arbitraries.of(Bus.class),
                        Arbitraries.longs().between(-2, 2),
                        Arbitraries.integers().between(0, 4),
                        Arbitraries.integers().between(-1, 2))
                .as((bus, address, length, value) ->
                        new Wish(bus, address * 16, LENGTHS[length], length == 0 ? -1 : value))
                .list()
                .ofMaxSize(25);
    }

    @Property
    @Label("I04 two registrations are refused together exactly if a write matches both, and a write finds the one that it matches")
    void agrees(@ForAll("wishes") List<Wish> wishes) {
        IoPorts io = new PortSpaceFactory().create();
        List<Wish> placed = new ArrayList<>();
        List<EventDescriptor> events = new ArrayList<>();
        for (Wish w : wishes) {
            boolean collides = placed.stream().anyMatch(o -> someWriteMatchesBoth(w, o));
            EventDescriptor e = new DescriptorService().event(0, false);
            boolean accepted = true;
            try {
                if (w.value < 0) {
                    io.ioeventfd(w.bus, w.address, w.length, e);
                } else {
                    io.ioeventfd(w.bus, w.address, w.length, w.value, e);
                }
                placed.add(w);
                events.add(e);
            } catch (ErrnoException x) {
                assertThat(x.errno()).isEqualTo(ErrnoException.EEXIST);
                accepted = false;
            }
            assertThat(accepted).isEqualTo(!collides);
        }
        for (Bus bus : Bus.values()) {
            for (long address = -32; address <= 32; address += 16) {
                for (int width : new int[] {1, 2, 4, 8}) {
                    for (int value = 0; value < 4; value++) {
                        long signalled = 0;
                        boolean taken = io.signal(bus, address, width, value);
                        for (int i = 0; i < placed.size(); i++) {
                            long n = events.get(i).tryRead();
                            assertThat(n).isEqualTo(placed.get(i).matches(bus, address, width, value) ? 1 : 0);
                            signalled += n;
                        }
                        assertThat(taken).isEqualTo(signalled == 1);
                    }
                }
            }
        }
    }

    private static boolean someWriteMatchesBoth(Wish a, Wish b) {
        for (int width : new int[] {1, 2, 4, 8}) {
            for (int value = 0; value < 4; value++) {
                if (a.matches(a.bus, a.address, width, value) && b.matches(a.bus, a.address, width, value)) {
                    return true;
                }
            }
        }
        return false;
    }
}
