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
 * A process like a shell: it forks a child for each command, writes on while the child runs, and waits for it. Children write
 * some of the pages they share with it, use memory of their own, and exit; some start a child of their own first.
 */
@Component(property = Workload.WORKLOAD_NAME + "=fork-heavy")
public final class ForkHeavyWorkload implements Workload {
    static final int COMMANDS = 40;
    static final int CODE_PAGES = 16;
    static final int DATA_PAGES = 1024;
    static final int OWN_PAGES = 16;
    static final int CHILD_WRITES = 24;
    static final int CHILD_READS = 400;
    static final int SHELL_WRITES = 8;
    /** Every so many children have a child. */
    static final int GRANDCHILD_EVERY = 4;

    /** Where the memory of a child of its own begins; a grandchild's lies elsewhere, since it inherits its parent's. */
    private static final long OWN = UserLayout.DATA + 0x4000_0000L;
    private static final long OWN_SPACING = 0x1000_0000L;

    @Override
    public String description() {
        return "a process with " + DATA_PAGES + " data pages forks " + COMMANDS
                + " children, some of which fork again; they share, write and copy its pages, and exit";
    }

    @Override
    public GuestBoot prepare(long seed, PagingMode mode) {
        return new MiniatureGuest("fork-heavy", seed, Shell::new).in(mode).needingPaging("it forks");
    }

    @Override
    public String inputIdentity() {
        return "fork-heavy 1";
    }

    @Override
    public long expectedOperations() {
        return COMMANDS * 50_000L;
    }

    private static void access(StepBuffer steps, UniformRandomProvider random, boolean write) {
        long gva = UserLayout.DATA + random.nextInt(DATA_PAGES * (int) UserLayout.PAGE / 8) * 8L;
        steps.fetch(UserLayout.CODE + random.nextInt(CODE_PAGES) * UserLayout.PAGE, UserLayout.FETCH);
        if (write) {
            steps.store(gva, 8, random.nextLong());
        } else {
            steps.load(gva, 8);
        }
    }

    private static final class Shell implements UserProgram {
        private final UniformRandomProvider random;
        private int maps;
        private boolean filled;
        private boolean childRuns;
        private int commands;

        Shell(long seed) {
            random = RandomSource.XO_RO_SHI_RO_128_PP.create(seed);
        }

        @Override
        public SystemCall next(StepBuffer steps) {
            if (maps < 2) {
                return maps++ == 0 ? UserLayout.mapCode(CODE_PAGES) : SystemCall.Map.anonymous(UserLayout.DATA, DATA_PAGES * UserLayout.PAGE);
            }
            if (!filled) {
                filled = true;
                for (int i = 0; i < DATA_PAGES; i++) {
                    steps.store(UserLayout.DATA + i * UserLayout.PAGE, 8, random.nextLong());
                }
            }
            if (childRuns) {
                childRuns = false;
                for (int i = 0; i < SHELL_WRITES; i++) {
                    access(steps, random, true);
                }
                return new SystemCall.Wait();
            }
            if (commands == COMMANDS) {
                return new SystemCall.Exit();
            }
            childRuns = true;
            int generations = ++commands % GRANDCHILD_EVERY == 0 ? 2 : 1;
            return new SystemCall.Fork(new Command(random.nextLong(), generations));
        }
    }

    private static final class Command implements UserProgram {
        private enum Phase { MAP, WORK, AWAIT, READ, EXIT }

        private final UniformRandomProvider random;
        private final int generations;
        private final long own;
        private Phase phase = Phase.MAP;

        /** @param generations 1: no child of its own */
        Command(long seed, int generations) {
            random = RandomSource.XO_RO_SHI_RO_128_PP.create(seed);
            this.generations = generations;
            this.own = OWN + generations * OWN_SPACING;
        }

        @Override
        public SystemCall next(StepBuffer steps) {
            switch (phase) {
                case MAP:
                    phase = Phase.WORK;
                    return SystemCall.Map.anonymous(own, OWN_PAGES * UserLayout.PAGE);
                case WORK:
                    for (int i = 0; i < OWN_PAGES; i++) {
                        steps.store(own + i * UserLayout.PAGE, 8, random.nextLong());
                    }
                    for (int i = 0; i < CHILD_WRITES; i++) {
                        access(steps, random, true);
                    }
                    phase = generations > 1 ? Phase.AWAIT : Phase.READ;
                    return generations > 1 ? new SystemCall.Fork(new Command(random.nextLong(), generations - 1)) : new SystemCall.Yield();
                case AWAIT:
                    phase = Phase.READ;
                    return new SystemCall.Wait();
                case READ:
                    for (int i = 0; i < CHILD_READS; i++) {
                        access(steps, random, false);
                    }
                    phase = Phase.EXIT;
                    return null;
                default:
                    return new SystemCall.Exit();
            }
        }
    }
}
