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
 * A process whose pages are aged: again and again the kernel takes their accessed bits, without a flush. Translations that the
 * processor has cached, and sptes of unsync shadow pages, are stale then and still legal.
 */
@Component(property = Workload.WORKLOAD_NAME + "=page-ageing")
public final class PageAgeingWorkload implements Workload {
    static final int PAGES = 512;
    static final int ROUNDS = 400;
    static final int ACCESSES_PER_ROUND = 1000;

    @Override
    public String description() {
        return "one process of " + PAGES + " data pages, of which all lose their accessed bits every " + ACCESSES_PER_ROUND + " accesses";
    }

    @Override
    public GuestBoot prepare(long seed, PagingMode mode) {
        return new MiniatureGuest("page-ageing", seed, Program::new).in(mode).needingPaging("its pages are aged");
    }

    @Override
    public String inputIdentity() {
        return "page-ageing 1";
    }

    @Override
    public long expectedOperations() {
        return ROUNDS * (2L * ACCESSES_PER_ROUND + PAGES + 16);
    }

    private static final class Program implements UserProgram {
        private final UniformRandomProvider random;
        private int maps;
        private int round;

        Program(long seed) {
            random = RandomSource.XO_RO_SHI_RO_128_PP.create(seed);
        }

        @Override
        public SystemCall next(StepBuffer steps) {
            if (maps < 2) {
                return maps++ == 0 ? UserLayout.mapCode(1) : SystemCall.Map.anonymous(UserLayout.DATA, PAGES * UserLayout.PAGE);
            }
            if (round++ == ROUNDS) {
                return new SystemCall.Exit();
            }
            for (int i = 0; i < ACCESSES_PER_ROUND; i++) {
                steps.fetch(UserLayout.CODE, UserLayout.FETCH);
                // Most accesses go to an eighth of the pages, which the TLB holds.
                int pages = random.nextInt(8) == 0 ? PAGES : PAGES / 8;
                long gva = UserLayout.DATA + random.nextInt(pages * (int) UserLayout.PAGE / 8) * 8L;
                if (random.nextInt(4) == 0) {
                    steps.store(gva, 8, random.nextLong());
                } else {
                    steps.load(gva, 8);
                }
            }
            return new SystemCall.Age();
        }
    }
}
