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

/** One process that reads and writes uniformly over a working set which no TLB holds: the least friendly pattern. */
@Component(service = Workload.class, property = Workload.WORKLOAD_NAME + "=random")
public class RandomWorkload implements Workload {
    static final long WORKING_SET_BYTES = 64 << 20;
    static final int BATCHES = 700;
    private static final int ACCESSES_PER_BATCH = 1024;

    /** The same in a guest that uses large pages. */
    @Component(service = Workload.class, property = Workload.WORKLOAD_NAME + "=random-thp")
    public static final class WithLargePages extends RandomWorkload {
        @Override
        public String description() {
            return super.description() + ", in large pages";
        }

        @Override
        public String inputIdentity() {
            return "random-thp 1";
        }

        @Override
        public GuestBoot prepare(long seed, PagingMode mode) {
            return new MiniatureGuest("random-thp", seed, s -> new Program(s, SystemCall.Map.large(UserLayout.DATA, WORKING_SET_BYTES)))
                    .in(mode).needingPaging("it has large pages");
        }
    }

    @Override
    public String description() {
        return "one process reads and writes, half and half, 8 bytes anywhere in 64 MiB";
    }

    @Override
    public GuestBoot prepare(long seed, PagingMode mode) {
        return new MiniatureGuest("random", seed, s -> new Program(s, SystemCall.Map.anonymous(UserLayout.DATA, WORKING_SET_BYTES)))
                .in(mode).mapping(UserLayout.PAGE + WORKING_SET_BYTES);
    }

    @Override
    public String inputIdentity() {
        return "random 1";
    }

    @Override
    public long expectedOperations() {
        return 2L * BATCHES * ACCESSES_PER_BATCH;
    }

    private static final class Program implements UserProgram {
        private final UniformRandomProvider random;
        private final SystemCall data;
        private int maps;
        private int batch;

        Program(long seed, SystemCall data) {
            this.data = data;
            random = RandomSource.XO_RO_SHI_RO_128_PP.create(seed);
        }

        @Override
        public SystemCall next(StepBuffer steps) {
            if (maps < 2) {
                return maps++ == 0 ? UserLayout.mapCode(1) : data;
            }
            if (batch++ == BATCHES) {
                return new SystemCall.Exit();
            }
            for (int i = 0; i < ACCESSES_PER_BATCH; i++) {
                long gva = UserLayout.DATA + random.nextLong(WORKING_SET_BYTES / 8) * 8;
                steps.fetch(UserLayout.CODE, UserLayout.FETCH);
                if (random.nextBoolean()) {
                    steps.store(gva, 8, random.nextLong());
                } else {
                    steps.load(gva, 8);
                }
            }
            return null;
        }
    }
}
