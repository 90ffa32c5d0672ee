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
 * One process that first writes every page of its working set, and then reads and writes anywhere in it: after the beginning its
 * page tables do not change any more, so that what an MMU does then it does for reasons of its own.
 */
@Component(service = Workload.class, property = Workload.WORKLOAD_NAME + "=working-set")
public class WorkingSetWorkload implements Workload {
    private static final long BYTES = 64 << 20;
    private static final int ACCESSES = 1480 << 10;
    private static final int BATCH = 1024;
    /** The access, its fetch, and what the kernel does at a first touch. */
    private static final int OPERATIONS_PER_TOUCH = 15;
    private static final int LASTING_ACCESSES = Integer.MAX_VALUE;

    /** The same for minutes to hours: a guest for people who replace designs by hand. */
    @Component(service = Workload.class, property = Workload.WORKLOAD_NAME + "=working-set-lasting")
    public static final class Lasting extends WorkingSetWorkload {
        public Lasting() {
            super(BYTES, LASTING_ACCESSES);
        }

        @Override
        public String description() {
            return super.description() + ", until somebody ends it";
        }
    }

    private final long bytes;
    private final int accesses;

    public WorkingSetWorkload() {
        this(BYTES, ACCESSES);
    }

    /**
     * @param bytes of the working set, a multiple of the page size
     * @param accesses after every page was written
     */
    WorkingSetWorkload(long bytes, int accesses) {
        this.bytes = bytes;
        this.accesses = accesses;
    }

    @Override
    public String description() {
        return "one process writes every page of " + (bytes >> 20) + " MiB, then reads and writes, half and half, 8 bytes anywhere in it";
    }

    @Override
    public GuestBoot prepare(long seed, PagingMode mode) {
        return new MiniatureGuest("working-set", seed, s -> new Program(s, bytes, accesses)).in(mode).mapping(UserLayout.PAGE + bytes);
    }

    @Override
    public String inputIdentity() {
        return "working-set 1 of " + bytes + " bytes, " + accesses + " accesses";
    }

    @Override
    public long expectedOperations() {
        return OPERATIONS_PER_TOUCH * (bytes / UserLayout.PAGE) + 2L * accesses;
    }

    private static final class Program implements UserProgram {
        private final UniformRandomProvider random;
        private final long bytes;
        private int left;
        private int maps;
        private long touched;

        Program(long seed, long bytes, int accesses) {
            this.random = RandomSource.XO_RO_SHI_RO_128_PP.create(seed);
            this.bytes = bytes;
            this.left = accesses;
        }

        @Override
        public SystemCall next(StepBuffer steps) {
            if (maps < 2) {
                return maps++ == 0 ? UserLayout.mapCode(1) : SystemCall.Map.anonymous(UserLayout.DATA, bytes);
            }
            if (left == 0) {
                return new SystemCall.Exit();
            }
            boolean touching = touched < bytes;
            for (int i = 0; i < BATCH && (touching ? touched < bytes : left > 0); i++) {
                steps.fetch(UserLayout.CODE, UserLayout.FETCH);
                if (touching) {
                    steps.store(UserLayout.DATA + touched, 8, random.nextLong());
                    touched += UserLayout.PAGE;
                    continue;
                }
                left--;
                long gva = UserLayout.DATA + random.nextLong(bytes / 8) * 8;
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
