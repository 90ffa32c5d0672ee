package org.penumbra.experiments.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.penumbra.api.cpu.EngineFactory;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MachineFactory;
import org.penumbra.experiments.boot.KernelFile;
import org.penumbra.experiments.boot.KernelGuest;
import org.penumbra.experiments.boot.TraceOfGuest;
import org.penumbra.experiments.run.Design;
import org.penumbra.experiments.run.FileErrors;
import org.penumbra.experiments.run.Planner;
import org.penumbra.experiments.run.RefusedException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code penumbra boot}. */
@Command(
        name = "boot",
        sortOptions = false,
        description = {
            "Boots a kernel: an ELF executable of 32 or 64 bits with a multiboot header (version 1), or a Linux bzImage.",
            "",
            "What it writes to the serial port at 0x3f8 appears on standard output. It ends by writing to port 0xf4, and the process "
                    + "with the low eight bits of what was written."
        },
        customSynopsis = "penumbra boot FILE [OPTIONS]",
        synopsisHeading = "Usage: ",
        optionListHeading = "%nOptions:%n",
        footerHeading = "%nExamples:%n",
        footer = {
            "  penumbra boot kernel.elf --mmu shadow",
            "  penumbra boot kernel.elf --mmu shadow,ept,npt --swap-every 10000    another MMU every 10,000 instructions",
            "  penumbra boot kernel.elf --snapshot 1000000=a.psnap                'penumbra restore a.psnap' goes on from there",
            "  penumbra boot kernel.elf --append 'verbose' --module tests.env",
            "  penumbra boot vmlinuz --initrd initrd.cpio --append 'console=ttyS0' --memory 256M"
        },
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {
            "N:what the kernel wrote to port 0xf4, modulo 256",
            "1:the machine could not go on: a triple fault, an instruction that is not modelled",
            "2:the request was refused; nothing was run",
            "3:a translation was wrong (--check)",
            "130:interrupted"
        })
final class BootCommand implements Callable<Integer> {
    private final Session session;

    @Parameters(paramLabel = "FILE", description = "The kernel.")
    private Path file;

    @Mixin
    private DriveOptions driving;

    @Option(names = "--append", paramLabel = "TEXT", defaultValue = "", description = "The kernel's command line.")
    private String commandLine;

    @Option(names = {"--module", "--initrd"}, paramLabel = "FILE[,TEXT]",
            description = "A module, with its command line; can be repeated. For Linux, one: the initial RAM disk.")
    private List<String> modules = new ArrayList<>();

    @Option(names = "--engine", paramLabel = "NAME", defaultValue = EngineFactory.X86,
            description = "What executes it (default: ${DEFAULT-VALUE}); x86-interpreter makes no methods of hot code.")
    private String engine;

    @Option(names = "--memory", paramLabel = "SIZE", defaultValue = "128M", converter = MemorySize.class,
            description = "Guest memory, a multiple of 2 MiB (default: ${DEFAULT-VALUE}).")
    private long memory;

    @Option(names = "--hardware", paramLabel = "NAME|FILE.json", defaultValue = "skylake",
            description = "The processor model (default: ${DEFAULT-VALUE}).")
    private String hardware;

    @Option(names = "--figure", paramLabel = "KEY=VALUE",
            description = "Change a figure of the processor model; 'penumbra hardware show' names them. tlb.model=0 is a fast functional TLB.")
    private Map<String, Long> figures = new LinkedHashMap<>();

    @Option(names = "--trace", paramLabel = "FILE",
            description = "Record what the guest fetches, loads and stores; 'penumbra run … --trace FILE' replays it.")
    private Path trace;

    @Option(names = "--force", description = "Let --trace replace an older file.")
    private boolean force;

    private TraceOfGuest recorder;

    BootCommand(Session session) {
        this.session = session;
    }

    @Override
    public Integer call() throws IOException {
        if (trace == null) {
            return boot();
        }
        if (Files.exists(trace) && !force) {
            throw new RefusedException("'" + trace + "' exists; give another name, or --force to replace it");
        }
        try (TraceOfGuest t = new TraceOfGuest(trace, "what " + file.getFileName() + " accessed")) {
            recorder = t;
            int code = boot();
            long records = t.commit();
            session.console().err().printf("%s: %d records, %d accesses above 2^47 left out%n", trace, records, t.leftOut());
            session.console().err().flush();
            return code;
        }
    }

    private int boot() {
        Design first = driving.first(session, "ept");
        KernelGuest guest = guest();
        MachineConfig config = new MachineConfig(memory, first.hostPageLevel(),
                new Planner(session.services(), session.traceWorkload()).hardware(hardware, figures).profile(), first.mmu(),
                first.changedSettings(), driving.check(), 1, false, engine, MachineConfig.WATCHDOG_MILLIS);
        MachineFactory factory = session.services().machineFactory(first.machineKind()).orElseThrow();
        guest.refusal(1, memory).ifPresent(r -> {
            throw new RefusedException(file + ": " + r);
        });
        return driving.drive(session, () -> factory.create(config, guest));
    }

    private KernelGuest guest() {
        try {
            return KernelFile.read(file, commandLine, modules).guest(session.console()::octet, recorder);
        } catch (IllegalArgumentException e) {
            throw new RefusedException(e.getMessage(), e);
        } catch (IOException e) {
            throw new RefusedException(FileErrors.describe(e), e);
        }
    }
}
