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

/** Processes with small working sets that take turns: what counts is the context switch, a MOV to CR3. */
@Component(service = Workload.class, property = Workload.WORKLOAD_NAME + "=many-processes")
public class ManyProcessesWorkload implements Workload {
    static final int PROCESSES = 24;
    static final int TURNS = 600;
    static final int ACCESSES_PER_TURN = 40;
    static final int CODE_PAGES = 4;
    static final int DATA_PAGES = 32;
    /** Each process has its code and its data somewhere else, as with ASLR; at equal addresses they would fight for few TLB sets. */
    private static final int SPREAD_PAGES = 1 << 17;

    /** The same under a kernel that gives each process a PCID. */
    @Component(service = Workload.class, property = Workload.WORKLOAD_NAME + "=many-processes-pcid")
    public static final class WithPcids extends ManyProcessesWorkload {
        @Override
        public String description() {
            return super.description() + ", each with a PCID";
        }

        @Override
        public String inputIdentity() {
            return "many-processes-pcid 1";
        }

        @Override
        public GuestBoot prepare(long seed, PagingMode mode) {
            return guest("many-processes-pcid", seed, mode).withPcids();
        }
    }

    private static MiniatureGuest guest(String name, long seed, PagingMode mode) {
        return new MiniatureGuest(name, seed, Launcher::new).in(mode).needingPaging("it forks");
    }

    @Override
    public String description() {
        return PROCESSES + " processes of " + DATA_PAGES + " data pages each take " + TURNS + " turns of " + ACCESSES_PER_TURN + " accesses";
    }

    @Override
    public GuestBoot prepare(long seed, PagingMode mode) {
        return guest("many-processes", seed, mode);
    }

    @Override
    public String inputIdentity() {
        return "many-processes 1";
    }

    @Override
    public long expectedOperations() {
        return PROCESSES * TURNS * (2L * ACCESSES_PER_TURN + 9);
    }

    /** Starts the others and waits for them. */
    private static final class Launcher implements UserProgram {
        private final long seed;
        private boolean mapped;
        private int started;
        private int awaited;

        Launcher(long seed) {
            this.seed = seed;
        }

        @Override
        public SystemCall next(StepBuffer steps) {
            if (!mapped) {
                mapped = true;
                return UserLayout.mapCode(1);
            }
            steps.fetch(UserLayout.CODE, UserLayout.FETCH);
            if (started < PROCESSES) {
                return new SystemCall.Fork(new Worker(Mix.of(seed + ++started)));
            }
            return awaited++ < PROCESSES ? new SystemCall.Wait() : new SystemCall.Exit();
        }
    }

    private static final class Worker implements UserProgram {
        private final UniformRandomProvider random;
        private final long code;
        private final long data;
        private int maps;
        private int turn;

        Worker(long seed) {
            random = RandomSource.XO_RO_SHI_RO_128_PP.create(seed);
            code = UserLayout.DATA + random.nextInt(SPREAD_PAGES) * UserLayout.PAGE;
            data = UserLayout.DATA + (2L * SPREAD_PAGES + random.nextInt(SPREAD_PAGES)) * UserLayout.PAGE;
        }

        @Override
        public SystemCall next(StepBuffer steps) {
            if (maps < 2) {
                return maps++ == 0
                        ? new SystemCall.Map(code, CODE_PAGES * UserLayout.PAGE, false, true, Contents.FILE)
                        : SystemCall.Map.anonymous(data, DATA_PAGES * UserLayout.PAGE);
            }
            if (turn++ == TURNS) {
                return new SystemCall.Exit();
            }
            for (int i = 0; i < ACCESSES_PER_TURN; i++) {
                steps.fetch(code + random.nextInt(CODE_PAGES) * UserLayout.PAGE, UserLayout.FETCH);
                long gva = data + random.nextInt(DATA_PAGES * (int) UserLayout.PAGE / 8) * 8L;
                if (random.nextInt(4) == 0) {
                    steps.store(gva, 8, random.nextLong());
                } else {
                    steps.load(gva, 8);
                }
            }
            return new SystemCall.Yield();
        }
    }
}
