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

    /** So many of them under a kernel that loads the hypervisor's roots where it is given any. */
    public abstract static class LoadingRoots extends ManyProcessesWorkload {
        private final String name;

        LoadingRoots(int processes) {
            super(processes, PROCESSES * TURNS / processes);
            this.name = "cr3-slots-" + processes;
        }

        @Override
        public String description() {
            return super.description() + ", under a paravirtual kernel that can load shadow roots";
        }

        @Override
        public String inputIdentity() {
            return name + " 1";
        }

        @Override
        public GuestBoot prepare(long seed, PagingMode mode) {
            return guest(name, seed, mode).withCr3Slots();
        }
    }

    /** Two. */
    @Component(service = Workload.class, property = Workload.WORKLOAD_NAME + "=cr3-slots-2")
    public static final class Two extends LoadingRoots {
        public Two() {
            super(2);
        }
    }

    /** Four. */
    @Component(service = Workload.class, property = Workload.WORKLOAD_NAME + "=cr3-slots-4")
    public static final class Four extends LoadingRoots {
        public Four() {
            super(4);
        }
    }

    /** Eight. */
    @Component(service = Workload.class, property = Workload.WORKLOAD_NAME + "=cr3-slots-8")
    public static final class Eight extends LoadingRoots {
        public Eight() {
            super(8);
        }
    }

    private final int processes;
    private final int turns;

    public ManyProcessesWorkload() {
        this(PROCESSES, TURNS);
    }

    ManyProcessesWorkload(int processes, int turns) {
        this.processes = processes;
        this.turns = turns;
    }

    MiniatureGuest guest(String name, long seed, PagingMode mode) {
        return new MiniatureGuest(name, seed, s -> new Launcher(s, processes, turns)).in(mode).needingPaging("it forks");
    }

    @Override
    public String description() {
        return processes + " processes of " + DATA_PAGES + " data pages each take " + turns + " turns of " + ACCESSES_PER_TURN + " accesses";
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
        return processes * turns * (2L * ACCESSES_PER_TURN + 9);
    }

    /** Starts the others and waits for them. */
    private static final class Launcher implements UserProgram {
        private final long seed;
        private final int processes;
        private final int turns;
        private boolean mapped;
        private int started;
        private int awaited;

        Launcher(long seed, int processes, int turns) {
            this.seed = seed;
            this.processes = processes;
            this.turns = turns;
        }

        @Override
        public SystemCall next(StepBuffer steps) {
            if (!mapped) {
                mapped = true;
                return UserLayout.mapCode(1);
            }
            steps.fetch(UserLayout.CODE, UserLayout.FETCH);
            if (started < processes) {
                return new SystemCall.Fork(new Worker(Mix.of(seed + ++started), turns));
            }
            return awaited++ < processes ? new SystemCall.Wait() : new SystemCall.Exit();
        }
    }

    private static final class Worker implements UserProgram {
        private final int turns;
        private final UniformRandomProvider random;
        private final long code;
        private final long data;
        private int maps;
        private int turn;

        Worker(long seed, int turns) {
            this.turns = turns;
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
            if (turn++ == turns) {
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
