package org.penumbra.vmx.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.clock.Work;
import org.penumbra.api.memory.FrameAccess;
import org.penumbra.api.memory.FrameLease;
import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.memory.MemorySlot;
import org.penumbra.api.memory.GuestMemoryException;
import org.penumbra.api.memory.LeaseException;
import org.penumbra.testkit.fixture.FlatProfile;

class HostMemoryTest {
    private final CycleClock clock = new CycleClock(new FlatProfile(Map.of()));

    @Test
    @DisplayName("H01 a guest frame gets a host frame on first use, keeps it, and shares it with no other")
    void faultIn() {
        HostMemory host = new HostMemory(4 << 20, 1, false);
        GuestMemory guest = host.view(clock, new Fence());
        assertThat(host.peek(0x5123)).isEqualTo(-1);
        Set<Long> pfns = new HashSet<>();
        for (long gfn = 0; gfn < 1024; gfn++) {
            assertThat(pfns.add(guest.pfn(gfn, false))).isTrue();
        }
        assertThat(guest.pfn(5, false) << 12 | 0x123).isEqualTo(host.peek(0x5123));
    }

    @Test
    @DisplayName("H01 2 MiB host pages are contiguous, aligned alike in guest and host, and stop at the slot's end")
    void largePages() {
        HostMemory host = new HostMemory(5 << 20, 2, false);
        GuestMemory guest = host.view(clock, new Fence());
        assertThat(guest.mappingLevel(512)).isEqualTo(2);
        long first = guest.pfn(512, false);
        assertThat(first % 512).isZero();
        assertThat(guest.pfn(512 + 77, false)).isEqualTo(first + 77);
        assertThat(guest.mappingLevel(1024)).isEqualTo(1);
        assertThat(guest.pfn(1279, false)).isNotNegative();
        assertThat(guest.mappingLevel(1280)).isZero();
    }

    @Test
    @DisplayName("S10 the unaligned head and tail of a slot have no large pages, nor has a slot whose gpa and hva are not aligned alike")
    void unalignedSlots() {
        HostMemory host = new HostMemory(8 << 20, 2, false);
        host.publish(new SlotSet(new MemorySlot(0, 256, 1100, 256 << 12), new MemorySlot(1, 2048, 1024, 2049L << 12)), () -> {});
        GuestMemory guest = host.view(clock, new Fence());
        assertThat(guest.mappingLevel(255)).as("no slot").isZero();
        assertThat(guest.mappingLevel(300)).as("head").isEqualTo(1);
        assertThat(guest.mappingLevel(600)).isEqualTo(2);
        assertThat(guest.mappingLevel(1030)).as("tail").isEqualTo(1);
        assertThat(guest.mappingLevel(2560)).as("one frame apart").isEqualTo(1);
    }

    @Test
    @DisplayName("H03 a host page of 2 MiB is split by an event, be there frames behind it yet or not")
    void splitByEvent() {
        HostMemory host = new HostMemory(8 << 20, 2, false);
        List<String> told = new ArrayList<>();
        host.events().notify(new Notifier() {
            @Override
            public void invalidate(long gfn, long frames) {
                told.add(gfn + "+" + frames);
                if (gfn == 512 && told.size() == 2) {
                    // The first touch comes between the notice and the change.
                    host.pfn(520, true);
                }
            }

            @Override
            public void moved(long gfn) {
                told.add("moved " + gfn);
            }
        });
        GuestMemory guest = host.view(clock, new Fence());
        guest.store(5 << 12, 8, 55);
        guest.store(6 << 12, 8, 66);
        assertThat(guest.mappingLevel(5)).isEqualTo(2);
        long before = guest.pfn(5, false);
        assertThat(host.events().migrate(5)).isTrue();
        assertThat(told).containsExactly("0+512", "moved 5");
        assertThat(guest.mappingLevel(5)).isEqualTo(1);
        assertThat(guest.pfn(5, false)).isNotEqualTo(before);
        assertThat(guest.load(5 << 12, 8)).isEqualTo(55);
        assertThat(guest.load(6 << 12, 8)).isEqualTo(66);
        told.clear();
        told.add("");
        host.events().migrate(520);
        assertThat(guest.mappingLevel(520)).isEqualTo(1);
    }

    @Test
    @DisplayName("H03 a page that is unshared while the notifier of another event runs takes no frame out of that event's range")
    void eventWithinEvent() {
        HostMemory host = new HostMemory(16 << 20, 1, false);
        GuestMemory guest = host.view(clock, new Fence());
        List<Boolean> turnedBack = new ArrayList<>();
        host.events().notify(new Notifier() {
            @Override
            public void invalidate(long gfn, long frames) {
                if (gfn == 5) {
                    long since = guest.sequence();
                    guest.store(2048L << 12, 8, 1);
                    turnedBack.add(guest.retry(since, 5));
                }
            }

            @Override
            public void moved(long gfn) {}
        });
        for (long gfn : new long[] {5, 2048, 2049}) {
            guest.store(gfn << 12, 8, 7);
        }
        assertThat(host.events().merge(2048, 2049)).isTrue();
        assertThat(host.events().migrate(5)).isTrue();
        assertThat(turnedBack).as("faults for what is about to move").containsExactly(true);
        assertThat(guest.retry(guest.sequence(), 5)).as("afterwards").isFalse();
    }

    @Test
    @DisplayName("H03 a swapped page comes back with its contents, and merged pages part at the first write")
    void swapAndMerge() {
        HostMemory host = new HostMemory(4 << 20, 1, false);
        List<Long> dropped = new ArrayList<>();
        host.events().notify(new Notifier() {
            @Override
            public void invalidate(long gfn, long frames) {
                dropped.add(gfn);
            }

            @Override
            public void moved(long gfn) {}
        });
        GuestMemory guest = host.view(clock, new Fence());
        guest.store(5 << 12, 8, 55);
        assertThat(host.events().swapOut(5)).isTrue();
        assertThat(host.events().swapOut(5)).as("again").isFalse();
        assertThat(guest.current(5)).isEqualTo(-1);
        assertThat(guest.load(5 << 12, 8)).isEqualTo(55);
        guest.store(6 << 12, 8, 55);
        guest.store(7 << 12, 8, 56);
        assertThat(host.events().merge(5, 7)).as("different").isFalse();
        assertThat(host.events().merge(5, 6)).isTrue();
        assertThat(guest.pfn(5, false)).isEqualTo(guest.pfn(6, false));
        assertThat(guest.writable(5)).isFalse();
        assertThat(guest.writable(6)).isFalse();
        dropped.clear();
        guest.store(6 << 12, 8, 66);
        assertThat(dropped).containsExactly(6L);
        assertThat(guest.load(5 << 12, 8)).isEqualTo(55);
        assertThat(guest.load(6 << 12, 8)).isEqualTo(66);
        guest.store(5 << 12, 8, 77);
        assertThat(guest.writable(5)).isTrue();
    }

    @Test
    @DisplayName("H04 an address that no slot gives is not reachable")
    void noSlot() {
        GuestMemory guest = new HostMemory(2 << 20, 1, false).view(clock, new Fence());
        assertThat(guest.pfn(512, false)).isEqualTo(GuestMemory.NO_SLOT);
        assertThatThrownBy(() -> guest.load(2 << 20, 8)).isInstanceOf(GuestMemoryException.class).hasMessageContaining("0x200000");
        assertThatThrownBy(() -> guest.store(-8, 8, 1)).isInstanceOf(GuestMemoryException.class);
    }

    @Test
    @DisplayName("H04 a lease reaches the frames it allocated and no other byte of the host")
    void isolation() {
        HostMemory host = new HostMemory(2 << 20, 1, false);
        Lease lease = host.newLease();
        FrameAccess access = lease.access(clock);
        Set<Long> own = new HashSet<>();
        for (int i = 0; i < 40; i++) {
            own.add(lease.allocate(clock) >>> 12);
            host.view(clock, new Fence()).pfn(i, false);
        }
        Random random = new Random(1);
        for (int i = 0; i < 20_000; i++) {
            long hpa = (random.nextLong() & (host.physical().bytes() * 2 - 1) - 1) & ~7L;
            boolean mine = own.contains(hpa >>> 12);
            if (mine) {
                access.store(hpa, i);
                assertThat(access.load(hpa)).isEqualTo(i);
            } else {
                assertThatThrownBy(() -> access.store(hpa, 1)).isInstanceOf(LeaseException.class);
                assertThatThrownBy(() -> access.compareAndSet(hpa, 0, 1)).isInstanceOf(LeaseException.class);
            }
        }
    }

    @Test
    @DisplayName("H04 revoking a lease frees its frames, cleared, and fences late accesses through old handles")
    void revoke() {
        HostMemory host = new HostMemory(2 << 20, 1, false);
        Lease old = host.newLease();
        long frame = old.allocate(clock);
        FrameAccess late = old.access(clock);
        late.store(frame, 42);
        old.revoke();
        old.release();
        FrameLease next = host.newLease();
        assertThat(next.allocate(clock)).isEqualTo(frame);
        assertThat(next.access(clock).load(frame)).isZero();
        assertThatThrownBy(() -> late.store(frame, 1)).isInstanceOf(LeaseException.class).hasMessageContaining("revoked");
        assertThatThrownBy(() -> old.allocate(clock)).isInstanceOf(LeaseException.class);
        assertThatThrownBy(() -> old.free(frame)).isInstanceOf(LeaseException.class);
    }

    @Test
    @DisplayName("H04 exhausted host memory is refused with its size")
    void exhausted() {
        FrameLease lease = new HostMemory(2 << 20, 1, false).newLease();
        assertThatThrownBy(() -> {
                    while (true) {
                        lease.allocate(clock);
                    }
                })
                .isInstanceOf(LeaseException.class)
                .hasMessageContaining("MiB is exhausted");
    }

    @Test
    @DisplayName("X09 what is done through the handles is charged, each with its own price")
    void charged() {
        HostMemory host = new HostMemory(2 << 20, 1, false);
        Lease lease = host.newLease();
        long frame = lease.allocate(clock);
        FrameAccess access = lease.access(clock);
        access.load(frame);
        access.load(frame);
        access.store(frame, 1);
        access.compareAndSet(frame, 1, 2);
        host.view(clock, new Fence()).load(0, 8);
        assertThat(clock.events(Work.FRAME)).isEqualTo(1);
        assertThat(clock.events(Work.LOAD)).isEqualTo(3);
        assertThat(clock.events(Work.STORE)).isEqualTo(1);
        assertThat(clock.events(Work.COMPARE_AND_SET)).isEqualTo(1);
        assertThat(clock.events(Work.SLOT_LOOKUP)).isEqualTo(1);
    }
}
