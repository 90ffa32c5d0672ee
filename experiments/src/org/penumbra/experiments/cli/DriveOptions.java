package org.penumbra.experiments.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineException;
import org.penumbra.experiments.run.Design;
import org.penumbra.experiments.run.Designs;
import org.penumbra.experiments.run.RefusedException;
import picocli.CommandLine.Option;

/** How one machine is driven to its guest's end, and what happens to it on the way: options of {@code boot} and {@code restore}. */
final class DriveOptions {
    private static final long CHUNK = 5_000_000;

    @Option(names = "--mmu", split = ",", paramLabel = "NAME",
            description = "Any installed MMU, one with -2m added for a host that uses 2 MiB pages, or, to boot, native (default: ept, or that of the "
                    + "snapshot). Several for --swap-every.")
    private List<String> mmus = new ArrayList<>();

    @Option(names = "--swap-every", paramLabel = "N", description = "Swap to the next of the MMUs after so many instructions.")
    private long swapEvery;

    @Option(names = "--snapshot", paramLabel = "N=FILE",
            description = "Write a snapshot when N instructions have retired, from which 'penumbra restore FILE' goes on; can be repeated.")
    private Map<Long, Path> snapshots = new LinkedHashMap<>();

    @Option(names = "--most", paramLabel = "N", description = "Stop after so many instructions, as a failure.")
    private long most = Long.MAX_VALUE;

    @Option(names = "--set", paramLabel = "KEY=VALUE", description = "A setting of an MMU; 'penumbra list designs' names them.")
    private Map<String, String> settings = new LinkedHashMap<>();

    @Option(names = "--check", description = "Compare every translation with the specification. Slow.")
    private boolean check;

    @Option(names = "--summary", description = "Print instructions, exits, speed and digests of guest and memory on standard error at the end.")
    private boolean summary;

    private List<Design> designs;
    private int swaps;

    boolean check() {
        return check;
    }

    /**
     * The MMUs, or {@code otherwise} if none is named; the first is there from the start.
     *
     * @throws RefusedException if they do not fit the other options
     */
    Design first(Session session, String otherwise) {
        designs = new Designs(session.services()).select(mmus.isEmpty() ? List.of(otherwise) : mmus, settings, "--mmu");
        boolean alone = designs.stream().anyMatch(d -> d.mmu().isEmpty());
        if (swapEvery < 0 || swapEvery > 0 && alone) {
            throw new RefusedException("--swap-every: a positive number, and MMUs to swap between, are needed");
        }
        if (swapEvery == 0 && designs.size() > 1) {
            throw new RefusedException("--mmu: " + designs.size() + " MMUs are named; --swap-every says when to swap between them");
        }
        if (alone && !snapshots.isEmpty()) {
            throw new RefusedException("--snapshot: a machine without a hypervisor has no snapshots; choose another --mmu than native");
        }
        snapshots.forEach((at, file) -> {
            if (at < 1 || !Files.isDirectory(file.toAbsolutePath().getParent()) || Files.isDirectory(file)) {
                throw new RefusedException("--snapshot " + at + "=" + file + ": a positive number and a file in a folder that exists are needed");
            }
        });
        return designs.get(0);
    }

    /** Refuses snapshots of what a guest that has retired {@code operations} has left behind. */
    void requireSnapshotsAfter(long operations) {
        long first = snapshots.keySet().stream().mapToLong(n -> n).min().orElse(Long.MAX_VALUE);
        if (first <= operations) {
            throw new RefusedException("--snapshot " + first + ": the guest has retired " + operations + " instructions already");
        }
    }

    /** Drives the machine that {@code maker} makes; the exit code of the process. */
    int drive(Session session, Supplier<Machine> maker) {
        long begun = System.nanoTime();
        try (Interrupt interrupt = session.interrupts().get(); Machine machine = maker.get()) {
            int code = run(session, machine, interrupt);
            summarise(session, machine, System.nanoTime() - begun);
            return code;
        } catch (MachineException e) {
            session.console().out().flush();
            session.console().complain(e.getMessage());
            return ExitCodes.FAILED;
        }
    }

    private int run(Session session, Machine machine, Interrupt interrupt) {
        TreeMap<Long, Path> due = new TreeMap<>(snapshots);
        long swapAt = swapEvery > 0 ? machine.operations() + swapEvery : Long.MAX_VALUE;
        boolean alive = true;
        while (alive) {
            long until = Math.min(swapAt, due.isEmpty() ? Long.MAX_VALUE : due.firstKey());
            long share = Math.max(1, (until - machine.operations()) / machine.vcpus());
            alive = machine.run(Math.min(CHUNK, share));
            if (interrupt.asked()) {
                session.console().complain("interrupted after " + machine.operations() + " instructions");
                return ExitCodes.INTERRUPTED;
            }
            if (alive && machine.operations() >= most) {
                session.console().complain("stopped after " + machine.operations() + " instructions, as --most says");
                return ExitCodes.FAILED;
            }
            if (alive && !due.isEmpty() && machine.operations() >= due.firstKey()) {
                machine.snapshot(due.pollFirstEntry().getValue());
            }
            if (alive && machine.operations() >= swapAt) {
                Design next = designs.get(++swaps % designs.size());
                machine.hotSwap().swap(next.mmu(), next.changedSettings());
                swapAt = machine.operations() + swapEvery;
            }
        }
        session.console().out().flush();
        if (!due.isEmpty()) {
            session.console().complain("the guest ended after " + machine.operations() + " instructions, before --snapshot " + due.firstKey());
            return ExitCodes.FAILED;
        }
        if (machine.checker() != null && machine.checker().wrong() > 0) {
            session.console().complain(machine.checker().wrong() + " translations are not allowed by the architecture; the first of them:");
            machine.checker().complaints().forEach(c -> session.console().err().println("  " + c));
            return ExitCodes.WRONG;
        }
        return machine.exitCode() & 0xff;
    }

    private void summarise(Session session, Machine machine, long nanos) {
        if (summary) {
            session.console().err().printf("%d instructions, %d exits, %d swaps, exit code %d, %.1f s, %.1f MIPS, guest %016x, memory %016x%n", machine.operations(),
                    machine.counters().getOrDefault("exits", 0L), swaps, machine.exitCode(), nanos / 1e9, machine.operations() * 1e3 / nanos,
                    machine.guestDigest(), machine.memoryDigest());
            session.console().err().flush();
        }
    }
}
