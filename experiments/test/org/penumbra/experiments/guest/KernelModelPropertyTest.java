package org.penumbra.experiments.guest;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashMap;
import java.util.Map;
import java.util.SplittableRandom;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Label;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;
import org.penumbra.api.guest.StepBuffer;
import org.penumbra.api.paging.PagingMode;

/** Whatever processes do, each sees the memory that a map from addresses to values describes. */
class KernelModelPropertyTest {
    /** Regions far apart, so that tables at every level come and go; one of them longer than what is flushed page by page. */
    private final long[] region = {0, 0x20_0000, 0x4000_0000L, 0x5000_0000L, 0};
    private static final int[] PAGES = {3, 4, 40, 1100, 2};
    private static final int LARGE_REGION = 3;
    /** The region at {@link UserHalf#high}. */
    private static final int FAR = 4;
    private static final int MOST_PROCESSES = 8;

    private GuestRig rig;
    private int processes;

    /** Does random things and compares what it loads with what it stored, or what its parent stored before the fork. */
    private final class Monkey implements UserProgram {
        private final SplittableRandom random;
        private final Map<Long, Long> memory;
        private final boolean[] mapped;
        private final boolean[] writable;
        private int actions;
        private int children;
        private long expected;
        private boolean check;
        /** Follows an unmapping of one page in region {@link #pendingWritable}. */
        private SystemCall.Map pending;
        private int pendingWritable;

        Monkey(SplittableRandom random, Monkey parent) {
            this.random = random;
            memory = parent == null ? new HashMap<>() : new HashMap<>(parent.memory);
            mapped = parent == null ? new boolean[region.length] : parent.mapped.clone();
            writable = parent == null ? new boolean[region.length] : parent.writable.clone();
            actions = 60;
        }

        @Override
        public SystemCall next(StepBuffer s) {
            if (check) {
                check = false;
                assertThat(rig.accumulator()).isEqualTo(expected);
            }
            if (pending != null) {
                SystemCall.Map map = pending;
                pending = null;
                return writable[pendingWritable] ? map : new SystemCall.Map(map.start(), map.length(), false, false, Contents.ZERO);
            }
            if (--actions < 0) {
                if (children > 0) {
                    children--;
                    return new SystemCall.Wait();
                }
                return new SystemCall.Exit();
            }
            int r = random.nextInt(region.length);
            int kind = random.nextInt(20);
            if (!mapped[r]) {
                mapped[r] = true;
                writable[r] = true;
                return r == LARGE_REGION
                        ? SystemCall.Map.large(region[r], PAGES[r] * 4096L)
                        : SystemCall.Map.anonymous(region[r], PAGES[r] * 4096L);
            }
            if (kind == 3 && random.nextInt(3) == 0) {
                int page = random.nextInt(PAGES[r]);
                pending = SystemCall.Map.anonymous(region[r] + page * 4096L, 4096);
                pendingWritable = r;
                memory.keySet().removeIf(a -> a >= region[r] + page * 4096L && a < region[r] + (page + 1) * 4096L);
                return new SystemCall.Unmap(region[r] + page * 4096L, 4096);
            }
            if (kind == 0) {
                mapped[r] = false;
                memory.keySet().removeIf(a -> a >= region[r] && a < region[r] + PAGES[r] * 4096L);
                return new SystemCall.Unmap(region[r], PAGES[r] * 4096L);
            }
            if (kind == 1) {
                writable[r] = !writable[r];
                return new SystemCall.Protect(region[r], PAGES[r] * 4096L, writable[r]);
            }
            if (kind == 2 && processes < MOST_PROCESSES) {
                processes++;
                children++;
                return new SystemCall.Fork(new Monkey(random.split(), this));
            }
            if (kind < 6) {
                return new SystemCall.Yield();
            }
            long gva = region[r] + random.nextInt(PAGES[r]) * 4096L + random.nextInt(3) * 2040;
            if (kind < 13 && writable[r]) {
                long value = random.nextLong();
                memory.put(gva, value);
                s.store(gva, 8, value);
            } else {
                expected = memory.getOrDefault(gva, 0L);
                check = true;
                s.load(gva, 8);
            }
            return null;
        }
    }

    @Provide
    Arbitrary<PagingMode> paged() {
        return Arbitraries.of(PagingMode.class).filter(m -> m != PagingMode.NONE);
    }

    @Property(tries = 160)
    @Label("X02 processes that map, fork, write, protect, unmap and exit see their own memory, and no frame is lost")
    void everyProcessSeesItsOwnMemory(@ForAll long seed, @ForAll @IntRange(min = 0, max = 4) int exitEvery, @ForAll boolean pcids,
            @ForAll("paged") PagingMode mode) {
        processes = 1;
        region[FAR] = UserHalf.high(mode);
        Monkey first = new Monkey(new SplittableRandom(seed), null);
        rig = pcids && mode.isLong() ? GuestRig.withPcids(mode, first) : GuestRig.of(mode, first);
        rig.cpu.exitEvery = exitEvery;
        rig.finish();
    }
}
