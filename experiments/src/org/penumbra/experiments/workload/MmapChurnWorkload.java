package org.penumbra.experiments.workload;

import org.apache.commons.rng.UniformRandomProvider;
import org.apache.commons.rng.simple.RandomSource;
import org.osgi.service.component.annotations.Component;
import org.penumbra.api.experiment.Workload;
import org.penumbra.api.guest.StepBuffer;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.experiments.guest.MiniatureGuest;
import org.penumbra.experiments.guest.SystemCall;
import org.penumbra.experiments.guest.UserProgram;

/**
 * One process that maps memory, uses it and unmaps it, over and over: page-table changes with INVLPG, or with MOV to CR3 where a
 * range is long. Ranges wander through the address space, so that tables come and go too.
 */
@Component(property = Workload.WORKLOAD_NAME + "=mmap-churn")
public final class MmapChurnWorkload implements Workload {
    static final int ROUNDS = 2500;
    static final int MOST_PAGES = 64;
    /** Every so many rounds the range is write-protected and released again before it is unmapped. */
    static final int PROTECT_EVERY = 8;
    private static final long WINDOW_PAGES = 1 << 18;

    @Override
    public String description() {
        return ROUNDS + " times: map 1 to " + MOST_PAGES + " pages somewhere in 1 GiB, write and read each, unmap; now and then mprotect between";
    }

    @Override
    public GuestBoot prepare(long seed, PagingMode mode) {
        return new MiniatureGuest("mmap-churn", seed, Program::new).in(mode).needingPaging("it unmaps");
    }

    @Override
    public String inputIdentity() {
        return "mmap-churn 1";
    }

    @Override
    public long expectedOperations() {
        return ROUNDS * 600L;
    }

    private static final class Program implements UserProgram {
        private enum Phase { CODE, MAP, FILL, FORBID, ALLOW, REFILL, UNMAP }

        private final UniformRandomProvider random;
        private Phase phase = Phase.CODE;
        private int round;
        private long start;
        private int pages;

        Program(long seed) {
            random = RandomSource.XO_RO_SHI_RO_128_PP.create(seed);
        }

        @Override
        public SystemCall next(StepBuffer steps) {
            long bytes = pages * UserLayout.PAGE;
            switch (phase) {
                case CODE:
                    phase = Phase.MAP;
                    return UserLayout.mapCode(1);
                case MAP:
                    if (round++ == ROUNDS) {
                        return new SystemCall.Exit();
                    }
                    phase = Phase.FILL;
                    pages = 1 + random.nextInt(MOST_PAGES);
                    start = UserLayout.DATA + random.nextLong(WINDOW_PAGES) * UserLayout.PAGE;
                    return SystemCall.Map.anonymous(start, pages * UserLayout.PAGE);
                case FILL:
                    phase = round % PROTECT_EVERY == 0 ? Phase.FORBID : Phase.UNMAP;
                    use(steps, true);
                    return null;
                case FORBID:
                    phase = Phase.ALLOW;
                    return new SystemCall.Protect(start, bytes, false);
                case ALLOW:
                    phase = Phase.REFILL;
                    use(steps, false);
                    return new SystemCall.Protect(start, bytes, true);
                case REFILL:
                    phase = Phase.UNMAP;
                    use(steps, true);
                    return null;
                default:
                    phase = Phase.MAP;
                    return new SystemCall.Unmap(start, bytes);
            }
        }

        private void use(StepBuffer steps, boolean write) {
            for (int i = 0; i < pages; i++) {
                long page = start + i * UserLayout.PAGE;
                steps.fetch(UserLayout.CODE, UserLayout.FETCH);
                if (write) {
                    steps.store(page + random.nextInt(512) * 8L, 8, random.nextLong());
                }
                steps.load(page + random.nextInt(512) * 8L, 8);
            }
        }
    }
}
