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
 * One process whose memory is so sparse that nearly every page needs a leaf table of its own, and which gives all of it up again and
 * again: more page-table writes than accesses, many of them to upper tables.
 */
@Component(property = Workload.WORKLOAD_NAME + "=table-storm")
public final class PageTableStormWorkload implements Workload {
    static final int ROUNDS = 700;
    /** Regions of 2 MiB in which one page is touched. */
    static final int REGIONS = 64;
    private static final long REGION_BYTES = 2 << 20;

    @Override
    public String description() {
        return ROUNDS + " times: map " + (REGIONS * REGION_BYTES >> 20) + " MiB, touch a page in each 2 MiB of it, write-protect it, read, unmap";
    }

    @Override
    public GuestBoot prepare(long seed, PagingMode mode) {
        return new MiniatureGuest("table-storm", seed, Program::new).in(mode).needingPaging("it unmaps");
    }

    @Override
    public String inputIdentity() {
        return "table-storm 1";
    }

    @Override
    public long expectedOperations() {
        return ROUNDS * REGIONS * 25L;
    }

    private static final class Program implements UserProgram {
        private enum Phase { CODE, MAP, TOUCH, FORBID, READ, UNMAP }

        private final UniformRandomProvider random;
        private final long[] pages = new long[REGIONS];
        private Phase phase = Phase.CODE;
        private int round;

        Program(long seed) {
            random = RandomSource.XO_RO_SHI_RO_128_PP.create(seed);
        }

        @Override
        public SystemCall next(StepBuffer steps) {
            switch (phase) {
                case CODE:
                    phase = Phase.MAP;
                    return UserLayout.mapCode(1);
                case MAP:
                    if (round++ == ROUNDS) {
                        return new SystemCall.Exit();
                    }
                    phase = Phase.TOUCH;
                    return SystemCall.Map.anonymous(UserLayout.DATA, REGIONS * REGION_BYTES);
                case TOUCH:
                    phase = Phase.FORBID;
                    for (int i = 0; i < REGIONS; i++) {
                        pages[i] = UserLayout.DATA + i * REGION_BYTES + random.nextInt(512) * UserLayout.PAGE;
                        steps.fetch(UserLayout.CODE, UserLayout.FETCH);
                        steps.store(pages[i], 8, random.nextLong());
                    }
                    return null;
                case FORBID:
                    phase = Phase.READ;
                    return new SystemCall.Protect(UserLayout.DATA, REGIONS * REGION_BYTES, false);
                case READ:
                    phase = Phase.UNMAP;
                    for (long page : pages) {
                        steps.fetch(UserLayout.CODE, UserLayout.FETCH);
                        steps.load(page, 8);
                    }
                    return null;
                default:
                    phase = Phase.MAP;
                    return new SystemCall.Unmap(UserLayout.DATA, REGIONS * REGION_BYTES);
            }
        }
    }
}
