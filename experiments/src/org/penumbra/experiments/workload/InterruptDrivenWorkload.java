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
 * A process that computes a while each time an interrupt has come, and lets the processor idle between. It needs somebody who
 * interrupts every vCPU, such as a timer: without one the guest halts in its first wait.
 */
@Component(property = Workload.WORKLOAD_NAME + "=interrupt-driven")
public final class InterruptDrivenWorkload implements Workload {
    static final int ROUNDS = 500;
    static final int PAGES = 64;
    static final int ACCESSES_PER_ROUND = 200;

    @Override
    public String description() {
        return ROUNDS + " times: wait for an interrupt, then access " + PAGES + " pages " + ACCESSES_PER_ROUND
                + " times; needs a timer or another source of interrupts";
    }

    @Override
    public GuestBoot prepare(long seed, PagingMode mode) {
        return new MiniatureGuest("interrupt-driven", seed, Program::new).in(mode).mapping((1 + PAGES) * UserLayout.PAGE);
    }

    @Override
    public String inputIdentity() {
        return "interrupt-driven 1";
    }

    @Override
    public long expectedOperations() {
        return ROUNDS * (2L * ACCESSES_PER_ROUND + 16);
    }

    private static final class Program implements UserProgram {
        private final UniformRandomProvider random;
        private int maps;
        private int round;
        private boolean waited;

        Program(long seed) {
            random = RandomSource.XO_RO_SHI_RO_128_PP.create(seed);
        }

        @Override
        public SystemCall next(StepBuffer steps) {
            if (maps < 2) {
                return maps++ == 0 ? UserLayout.mapCode(1) : SystemCall.Map.anonymous(UserLayout.DATA, PAGES * UserLayout.PAGE);
            }
            waited = !waited;
            if (waited) {
                return round++ == ROUNDS ? new SystemCall.Exit() : new SystemCall.WaitForInterrupt();
            }
            for (int i = 0; i < ACCESSES_PER_ROUND; i++) {
                steps.fetch(UserLayout.CODE, UserLayout.FETCH);
                long gva = UserLayout.DATA + random.nextInt(PAGES * (int) UserLayout.PAGE / 8) * 8L;
                if (random.nextInt(4) == 0) {
                    steps.store(gva, 8, random.nextLong());
                } else {
                    steps.load(gva, 8);
                }
            }
            return null;
        }
    }
}
