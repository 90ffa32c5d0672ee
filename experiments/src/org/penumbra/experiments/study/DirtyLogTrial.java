package org.penumbra.experiments.study;

import java.util.Arrays;
import java.util.BitSet;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.machine.DirtyLogControl;
import org.penumbra.api.machine.DirtyRingReader;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.machine.MachineFactory;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.experiments.run.Design;
import org.penumbra.experiments.run.ServiceRegistry;

/** One machine of {@link DirtyLogs}: a round to fill the MMU, one to measure, the log, and a round under it. */
final class DirtyLogTrial {
    private static final long MEMORY = 128L << 20;
    private static final int RING = 4096;

    /** How the log begins. */
    enum Start {
        BITMAP("bitmap"),
        ALL_SET("all set"),
        RING("ring");

        private final String label;

        Start(String label) {
            this.label = label;
        }

        String label() {
            return label;
        }
    }

    /**
     * What was measured.
     *
     * @param startCycles simulated cycles of starting the log
     * @param startSplits large leaves that it split, as far as the design counts them
     * @param faults faults that the MMU fixed while each page was written under the log
     * @param splits large leaves that were split meanwhile
     * @param full exits for a full page-modification log
     * @param slowdown cycles of the round under the log, in units of those of the round before it
     * @param readCycles simulated cycles of the harvests, or of reading and clearing all
     * @param missed pages that were written and that the log did not tell
     */
    record Figures(String design, Start how, long startCycles, long startSplits, long faults, long splits, long full, double slowdown,
            long readCycles, long missed) {}

    private final Design design;
    private final Start how;
    private final Machine machine;
    /** Its own pages are large, so that few frames of tables are written beside the data. */
    private final RoundsGuest program = new RoundsGuest(DirtyLogs.PAGES, true);
    private final BitSet told = new BitSet();
    private long readCycles;

    DirtyLogTrial(ServiceRegistry services, CostProfile hardware, Design design, Start how) {
        this.design = design;
        this.how = how;
        MachineFactory factory = services.machineFactory(design.machineKind()).orElseThrow(
                () -> new MachineException("no machine of kind '" + design.machineKind() + "' is left in the container"));
        MachineConfig config = new MachineConfig(MEMORY, design.hostPageLevel(), hardware, design.mmu(), design.changedSettings(), true);
        machine = factory.create(config, program.guest());
    }

    Figures run() {
        try (machine) {
            program.round(machine);
            program.round(machine);
            long before = program.round(machine);
            written();
            long at = cycles();
            long splits = count("ept_splits");
            start();
            long startCycles = cycles() - at;
            long startSplits = count("ept_splits") - splits;
            splits = count("ept_splits");
            long faults = count("pf_fixed");
            long full = full();
            readCycles = 0;
            long during = program.round(machine) - readCycles;
            faults = count("pf_fixed") - faults;
            splits = count("ept_splits") - splits;
            full = full() - full;
            read();
            BitSet missed = written();
            missed.andNot(told);
            if (machine.checker().wrong() > 0) {
                throw new MachineException(design.name() + ": " + machine.checker().complaints().get(0));
            }
            return new Figures(design.name(), how, startCycles, startSplits, faults, splits, full, (double) during / before, readCycles,
                    missed.cardinality());
        }
    }

    private void start() {
        switch (how) {
            case BITMAP -> machine.dirtyLog().start();
            case ALL_SET -> machine.dirtyLog().startAllSet();
            case RING -> machine.dirtyLog().startRings(RING, vcpu -> read());
        }
    }

    private void read() {
        long before = cycles();
        DirtyLogControl log = machine.dirtyLog();
        switch (how) {
            case BITMAP -> log.harvest(gfn -> told.set((int) gfn));
            case ALL_SET -> {
                log.get(gfn -> told.set((int) gfn));
                long[] all = new long[(int) (MEMORY >>> 18)];
                Arrays.fill(all, -1);
                log.clear(0, all);
            }
            case RING -> {
                DirtyRingReader.Entries entries = (vcpu, gfn) -> told.set((int) gfn);
                log.harvestRings(entries);
                log.resetRings();
                log.harvest(gfn -> told.set((int) gfn));
            }
        }
        readCycles += cycles() - before;
    }

    private BitSet written() {
        BitSet written = new BitSet();
        machine.checker().takeWritten(gfn -> written.set((int) gfn));
        return written;
    }

    private long cycles() {
        return machine.cycles().total();
    }

    private long count(String counter) {
        return machine.counters().getOrDefault(counter, 0L);
    }

    private long full() {
        return machine.exits().rows().stream().filter(r -> r.reason() == ExitReason.PML_FULL).mapToLong(r -> r.samples()).sum();
    }
}
