package org.penumbra.experiments.workload;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.experiment.Workload;
import org.penumbra.api.guest.StepBuffer;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.experiments.guest.MiniatureGuest;
import org.penumbra.experiments.guest.SystemCall;
import org.penumbra.experiments.guest.UserProgram;

/** One process that walks through an array, line by line: the friendliest pattern for a TLB. */
@Component(property = Workload.WORKLOAD_NAME + "=sequential")
public final class SequentialWorkload implements Workload {
    static final long ARRAY_BYTES = 32 << 20;
    static final int LINE = 64;
    static final int PASSES = 2;
    private static final int LINES_PER_BATCH = 1024;
    private static final int OPERATIONS_PER_LINE = 2;

    @Override
    public String description() {
        return "one process goes through 32 MiB in steps of 64 bytes: writes it all, then reads it all";
    }

    @Override
    public GuestBoot prepare(long seed, PagingMode mode) {
        return new MiniatureGuest("sequential", seed, Program::new).in(mode).mapping(UserLayout.PAGE + ARRAY_BYTES);
    }

    @Override
    public String inputIdentity() {
        return "sequential 1";
    }

    @Override
    public long expectedOperations() {
        return PASSES * OPERATIONS_PER_LINE * (ARRAY_BYTES / LINE);
    }

    private static final class Program implements UserProgram {
        private final long seed;
        private int maps;
        private int pass;
        private long offset;

        Program(long seed) {
            this.seed = seed;
        }

        @Override
        public SystemCall next(StepBuffer steps) {
            if (maps < 2) {
                return maps++ == 0 ? UserLayout.mapCode(1) : SystemCall.Map.anonymous(UserLayout.DATA, ARRAY_BYTES);
            }
            if (pass == PASSES) {
                return new SystemCall.Exit();
            }
            for (int i = 0; i < LINES_PER_BATCH; i++, offset += LINE) {
                steps.fetch(UserLayout.CODE + pass * UserLayout.FETCH, UserLayout.FETCH);
                if (pass == 0) {
                    steps.store(UserLayout.DATA + offset, 8, Mix.of(seed + offset));
                } else {
                    steps.load(UserLayout.DATA + offset, 8);
                }
            }
            if (offset == ARRAY_BYTES) {
                offset = 0;
                pass++;
            }
            return null;
        }
    }
}
