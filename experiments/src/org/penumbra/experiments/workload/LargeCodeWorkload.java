package org.penumbra.experiments.workload;

import org.apache.commons.rng.UniformRandomProvider;
import org.apache.commons.rng.simple.RandomSource;
import org.osgi.service.component.annotations.Component;
import org.penumbra.api.experiment.Workload;
import org.penumbra.api.guest.StepBuffer;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.experiments.guest.Contents;
import org.penumbra.experiments.guest.MiniatureGuest;
import org.penumbra.experiments.guest.SystemCall;
import org.penumbra.experiments.guest.UserProgram;

/** One process that executes all over a large text in large pages and reads constants in it, as a database with its text on huge pages. */
@Component(property = Workload.WORKLOAD_NAME + "=code-thp")
public final class LargeCodeWorkload implements Workload {
    static final long TEXT_BYTES = 16 << 20;
    static final int BATCHES = 1000;
    private static final int FETCHES_PER_BATCH = 512;
    private static final long TEXT = UserLayout.DATA;

    @Override
    public String description() {
        return "one process fetches anywhere in " + (TEXT_BYTES >> 20) + " MiB of text in large pages, and reads constants of it";
    }

    @Override
    public GuestBoot prepare(long seed, PagingMode mode) {
        return new MiniatureGuest("code-thp", seed, Program::new).in(mode).needingPaging("it has large pages");
    }

    @Override
    public String inputIdentity() {
        return "code-thp 1";
    }

    @Override
    public long expectedOperations() {
        return 2L * BATCHES * FETCHES_PER_BATCH;
    }

    private static final class Program implements UserProgram {
        private final UniformRandomProvider random;
        private boolean mapped;
        private int batch;

        Program(long seed) {
            random = RandomSource.XO_RO_SHI_RO_128_PP.create(seed);
        }

        @Override
        public SystemCall next(StepBuffer steps) {
            if (!mapped) {
                mapped = true;
                return new SystemCall.Map(TEXT, TEXT_BYTES, false, true, Contents.FILE, true);
            }
            if (batch++ == BATCHES) {
                return new SystemCall.Exit();
            }
            for (int i = 0; i < FETCHES_PER_BATCH; i++) {
                long gva = TEXT + random.nextLong(TEXT_BYTES / UserLayout.FETCH) * UserLayout.FETCH;
                steps.fetch(gva, UserLayout.FETCH);
                steps.load(gva & -UserLayout.PAGE | random.nextInt(512) * 8L, 8);
            }
            return null;
        }
    }
}
