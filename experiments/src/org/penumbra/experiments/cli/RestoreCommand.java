package org.penumbra.experiments.cli;

import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.cpu.EngineFactory;
import org.penumbra.api.experiment.Workload;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.machine.MachineFactory;
import org.penumbra.api.snapshot.SnapshotHeader;
import org.penumbra.experiments.boot.ResumedKernel;
import org.penumbra.experiments.run.Design;
import org.penumbra.experiments.run.IdentifiedGuest;
import org.penumbra.experiments.run.PagingModes;
import org.penumbra.experiments.run.Planner;
import org.penumbra.experiments.run.RefusedException;
import org.penumbra.experiments.run.SelectedWorkload;
import org.penumbra.experiments.run.ServiceRegistry.Named;
import org.penumbra.experiments.run.Suggestions;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code penumbra restore}. */
@Command(
        name = "restore",
        sortOptions = false,
        description = {
            "Goes on with a machine from a snapshot, under its MMU or another.",
            "",
            "Snapshots are written by 'penumbra boot … --snapshot N=FILE' and by 'snapshot ID FILE' in the shell. A guest in machine code goes on "
                    + "by itself, with its serial port on standard output; a workload's guest is made anew and told what its kernel was asked."
        },
        customSynopsis = "penumbra restore FILE [OPTIONS]",
        synopsisHeading = "Usage: ",
        optionListHeading = "%nOptions:%n",
        footerHeading = "%nExamples:%n",
        footer = {
            "  penumbra boot kernel.elf --mmu shadow --snapshot 1000000=a.psnap",
            "  penumbra restore a.psnap --mmu ept --check",
            "  penumbra restore a.psnap --mmu npt --snapshot 2000000=b.psnap"
        },
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {
            "N:what the guest wrote to port 0xf4, modulo 256",
            "1:the machine could not go on",
            "2:the request was refused; nothing was run",
            "3:a translation was wrong (--check)",
            "130:interrupted"
        })
final class RestoreCommand implements Callable<Integer> {
    private final Session session;

    @Parameters(paramLabel = "FILE", description = "The snapshot.")
    private Path file;

    @Mixin
    private DriveOptions driving;

    @Option(names = "--hardware", paramLabel = "NAME|FILE.json",
            description = "The processor model, whose guest must see no other processor (default: that of the snapshot).")
    private String hardware;

    @Option(names = "--trace", paramLabel = "FILE", description = "The trace that the guest replays, if it is one of yours.")
    private Path trace;

    RestoreCommand(Session session) {
        this.session = session;
    }

    @Override
    public Integer call() {
        SnapshotHeader header;
        MachineConfig config;
        GuestBoot guest;
        MachineFactory factory;
        try {
            header = SnapshotHeader.of(file);
            driving.requireSnapshotsAfter(header.number(SnapshotHeader.OPERATIONS));
            String own = header.fact(SnapshotHeader.DESIGN) + (header.number(SnapshotHeader.HOST_PAGE_LEVEL) == 2 ? Design.LARGE : "");
            Design first = driving.first(session, own);
            if (first.mmu().isEmpty()) {
                throw new RefusedException("--mmu native: a snapshot is of a machine with a hypervisor; choose another");
            }
            factory = session.services().machineFactory(first.machineKind()).orElseThrow();
            guest = guest(header);
            config = new MachineConfig(header.number(SnapshotHeader.MEMORY), first.hostPageLevel(), hardware(header), first.mmu(),
                    first.changedSettings(), driving.check(), (int) header.number(SnapshotHeader.VCPUS), false, header.fact(SnapshotHeader.ENGINE),
                    MachineConfig.WATCHDOG_MILLIS, Boolean.parseBoolean(header.fact(SnapshotHeader.SHADOW_VMCS)));
        } catch (MachineException | IllegalArgumentException e) {
            throw new RefusedException(e.getMessage(), e);
        }
        return driving.drive(session, () -> factory.restore(config, guest, file));
    }

    private CostProfile hardware(SnapshotHeader header) {
        Planner planner = new Planner(session.services(), session.traceWorkload());
        String name = hardware == null ? header.fact(SnapshotHeader.HARDWARE) : hardware;
        CostProfile model = planner.hardware(name).profile();
        Map<String, Long> changed = new LinkedHashMap<>();
        for (String key : header.under(SnapshotHeader.FIGURE).keySet()) {
            long seen = header.number(SnapshotHeader.FIGURE + key);
            if (hardware == null && model.figure(key) != seen) {
                changed.put(key, seen);
            }
        }
        return planner.hardware(name, changed).profile();
    }

    private GuestBoot guest(SnapshotHeader header) {
        Map<String, String> identity = header.under(SnapshotHeader.GUEST);
        if (!header.fact(SnapshotHeader.ENGINE).equals(EngineFactory.STEPS)) {
            return new ResumedKernel(identity, session.console()::octet);
        }
        String name = header.fact(SnapshotHeader.GUEST + IdentifiedGuest.WORKLOAD);
        return new IdentifiedGuest(new SelectedWorkload(name, workload(name)), header.number(SnapshotHeader.GUEST + IdentifiedGuest.SEED),
                PagingModes.named("the snapshot", header.fact(SnapshotHeader.GUEST + IdentifiedGuest.PAGING)));
    }

    private Workload workload(String name) {
        if (trace != null) {
            try {
                return session.traceWorkload().apply(trace);
            } catch (UncheckedIOException e) {
                throw new RefusedException(e.getCause().getMessage(), e);
            }
        }
        List<Named<Workload>> known = session.services().workloads();
        return known.stream().filter(w -> w.name().equals(name)).map(Named::service).findFirst().orElseThrow(() -> new RefusedException(
                Suggestions.unknown("workload", name, known.stream().map(Named::name).toList()) + "; if it is a trace of yours, --trace names its file"));
    }
}
