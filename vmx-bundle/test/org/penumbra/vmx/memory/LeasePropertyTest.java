package org.penumbra.vmx.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Label;
import net.jqwik.api.Property;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.memory.FrameAccess;
import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.memory.LeaseException;
import org.penumbra.testkit.fixture.FlatProfile;

class LeasePropertyTest {
    private static final long GUEST_FRAMES = 1024;

    /** A lease, and which frame of it holds what, by a list kept beside it. */
    private static final class Plugin {
        final Lease lease;
        final FrameAccess access;
        final Map<Long, Long> held = new HashMap<>();

        Plugin(Lease lease, CycleClock clock) {
            this.lease = lease;
            this.access = lease.access(clock);
        }
    }

    @Property(tries = 40)
    @Label("H04 whatever plugins do with their leases, each reads and writes its own frames only, and a guest's and the other plugins' keep what they hold")
    void leases(@ForAll long seed) {
        Random random = new Random(seed);
        CycleClock clock = new CycleClock(new FlatProfile(Map.of()));
        HostMemory host = new HostMemory(GUEST_FRAMES << 12, 1 + random.nextInt(2), false);
        host.events().notify(new Notifier() {
            @Override
            public void invalidate(long gfn, long frames) {}

            @Override
            public void moved(long gfn) {}
        });
        GuestMemory guest = host.view(clock, new Fence());
        List<Plugin> plugins = new ArrayList<>();
        long[] model = new long[(int) GUEST_FRAMES];
        for (int i = 0; i < 600; i++) {
            if (plugins.size() < 3) {
                plugins.add(new Plugin(host.newLease(), clock));
            }
            int gfn = random.nextInt((int) GUEST_FRAMES);
            Plugin plugin = plugins.get(random.nextInt(plugins.size()));
            switch (random.nextInt(9)) {
                case 0, 1 -> allocate(plugin, clock);
                case 2 -> free(plugin, address(random, host, guest, plugins));
                case 3, 4, 5 -> touch(plugin, address(random, host, guest, plugins) | random.nextInt(512) * 8L, i);
                case 6 -> guest.store((long) gfn << 12, 8, model[gfn] = i);
                case 7 -> event(random, host, gfn);
                default -> revoke(plugin, plugins, random.nextInt(20) == 0);
            }
        }
        for (int gfn = 0; gfn < GUEST_FRAMES; gfn++) {
            assertThat(guest.load((long) gfn << 12, 8)).as("guest frame %d", gfn).isEqualTo(model[gfn]);
        }
        for (Plugin plugin : plugins) {
            plugin.held.forEach((hpa, value) -> assertThat(plugin.access.load(hpa)).isEqualTo(value));
            assertThat(plugin.lease.frames()).isEqualTo(plugin.held.size());
        }
    }

    /** The address of a frame of somebody, or of nobody. */
    private static long address(Random random, HostMemory host, GuestMemory guest, List<Plugin> plugins) {
        Plugin other = plugins.get(random.nextInt(plugins.size()));
        if (!other.held.isEmpty() && random.nextInt(4) > 0) {
            return new ArrayList<>(other.held.keySet()).get(random.nextInt(other.held.size()));
        }
        return random.nextBoolean() ? guest.pfn(random.nextLong(GUEST_FRAMES), false) << 12 : random.nextLong(host.physical().bytes()) & -4096L;
    }

    private static void allocate(Plugin plugin, CycleClock clock) {
        long hpa = plugin.lease.allocate(clock);
        assertThat(plugin.held.put(hpa, 0L)).as("handed out twice").isNull();
        for (int i = 0; i < 4096; i += 8) {
            assertThat(plugin.access.load(hpa + i)).as("left over from before").isZero();
        }
    }

    private static void free(Plugin plugin, long hpa) {
        if (plugin.held.remove(hpa) != null) {
            plugin.lease.free(hpa);
        } else {
            assertThatThrownBy(() -> plugin.lease.free(hpa)).isInstanceOf(LeaseException.class);
        }
    }

    private static void touch(Plugin plugin, long hpa, long value) {
        if (plugin.held.containsKey(hpa & -4096L)) {
            plugin.access.store(hpa, value);
            assertThat(plugin.access.load(hpa)).isEqualTo(value);
            plugin.access.store(hpa, 0);
            assertThat(plugin.access.compareAndSet(hpa & -4096L, plugin.held.get(hpa & -4096L), value)).isEqualTo((hpa & 4095) != 0 || plugin.held.get(hpa) == 0);
            plugin.access.store(hpa & -4096L, value);
            plugin.held.put(hpa & -4096L, value);
        } else {
            assertThatThrownBy(() -> plugin.access.load(hpa)).isInstanceOf(LeaseException.class);
            assertThatThrownBy(() -> plugin.access.store(hpa, value)).isInstanceOf(LeaseException.class);
            assertThatThrownBy(() -> plugin.access.compareAndSet(hpa, 0, value)).isInstanceOf(LeaseException.class);
        }
    }

    private static void event(Random random, HostMemory host, int gfn) {
        switch (random.nextInt(4)) {
            case 0 -> host.events().swapOut(gfn);
            case 1 -> host.events().migrate(gfn);
            case 2 -> host.events().merge(gfn, random.nextInt((int) GUEST_FRAMES));
            default -> host.events().collapse(gfn);
        }
    }

    private static void revoke(Plugin plugin, List<Plugin> plugins, boolean really) {
        if (really) {
            plugin.lease.revoke();
            plugin.held.keySet().forEach(hpa -> assertThatThrownBy(() -> plugin.access.store(hpa, 1)).isInstanceOf(LeaseException.class));
            plugin.lease.release();
            plugins.remove(plugin);
        }
    }
}
