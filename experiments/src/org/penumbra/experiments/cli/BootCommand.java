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
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.machine.MachineFactory;
import org.penumbra.experiments.boot.KernelFile;
import org.penumbra.experiments.boot.MultibootGuest;
import org.penumbra.experiments.boot.TraceOfGuest;
import org.penumbra.experiments.run.Design;
import org.penumbra.experiments.run.Designs;
import org.penumbra.experiments.run.FileErrors;
import org.penumbra.experiments.run.Planner;
import org.penumbra.experiments.run.RefusedException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code penumbra boot}. */
@Command(
        name = "boot",
        sortOptions = false,
        description = {
            "Boots a kernel: an ELF executable of 32 or 64 bits with a multiboot header (version 1).",
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
            "  penumbra boot kernel.elf --append 'verbose' --module tests.env"
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
    private static final long CHUNK = 5_000_000;

    private final Session session;

    @Parameters(paramLabel = "FILE", description = "The kernel.")
    private Path file;

    @Option(names = "--mmu", split = ",", paramLabel = "NAME", defaultValue = "ept",
            description = "native, any installed MMU, or an MMU with -2m added for a host that uses 2 MiB pages (default: ${DEFAULT-VALUE}). "
                    + "Several for --swap-every.")
    private List<String> mmus = new ArrayList<>();

    @Option(names = "--swap-every", paramLabel = "N", description = "Swap to the next of the MMUs after so many instructions.")
    private long swapEvery;

    @Option(names = "--append", paramLabel = "TEXT", defaultValue = "", description = "The kernel's command line.")
    private String commandLine;

    @Option(names = "--module", paramLabel = "FILE[,TEXT]", description = "A module, with its command line; can be repeated.")
    private List<String> modules = new ArrayList<>();

    @Option(names = "--memory", paramLabel = "SIZE", defaultValue = "128M", converter = MemorySize.class,
            description = "Guest memory, a multiple of 2 MiB (default: ${DEFAULT-VALUE}).")
    private long memory;

    @Option(names = "--most", paramLabel = "N", description = "Stop after so many instructions, as a failure.")
    private long most = Long.MAX_VALUE;

    @Option(names = "--hardware", paramLabel = "NAME|FILE.json", defaultValue = "skylake",
            description = "The processor model (default: ${DEFAULT-VALUE}).")
    private String hardware;

    @Option(names = "--figure", paramLabel = "KEY=VALUE",
            description = "Change a figure of the processor model; 'penumbra hardware show' names them. tlb.model=0 is a fast functional TLB.")
    private Map<String, Long> figures = new LinkedHashMap<>();

    @Option(names = "--set", paramLabel = "KEY=VALUE", description = "A setting of an MMU; 'penumbra list designs' names them.")
    private Map<String, String> settings = new LinkedHashMap<>();

    @Option(names = "--trace", paramLabel = "FILE",
            description = "Record what the guest fetches, loads and stores; 'penumbra run … --trace FILE' replays it.")
    private Path trace;

    @Option(names = "--force", description = "Let --trace replace an older file.")
    private boolean force;

    @Option(names = "--check", description = "Compare every translation with the specification. Slow.")
    private boolean check;

    @Option(names = "--summary", description = "Print instructions, exits and speed on standard error at the end.")
    private boolean summary;

    private int swaps;
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
        List<Design> designs = new Designs(session.services()).select(mmus, settings, "--mmu");
        Design first = designs.get(0);
        if (swapEvery < 0 || swapEvery > 0 && designs.stream().anyMatch(d -> d.mmu().isEmpty())) {
            throw new RefusedException("--swap-every: a positive number, and MMUs to swap between, are needed");
        }
        if (swapEvery == 0 && designs.size() > 1) {
            throw new RefusedException("--mmu: " + designs.size() + " MMUs are named; --swap-every says when to swap between them");
        }
        MultibootGuest guest = guest();
        MachineConfig config = new MachineConfig(memory, first.hostPageLevel(),
                new Planner(session.services(), session.traceWorkload()).hardware(hardware, figures).profile(), first.mmu(),
                first.changedSettings(), check, 1, false, EngineFactory.X86, MachineConfig.WATCHDOG_MILLIS);
        MachineFactory factory = session.services().machineFactory(first.machineKind()).orElseThrow();
        guest.refusal(1, memory).ifPresent(r -> {
            throw new RefusedException(file + ": " + r);
        });
        long begun = System.nanoTime();
        try (Interrupt interrupt = session.interrupts().get(); Machine machine = factory.create(config, guest)) {
            int code = run(machine, designs, interrupt);
            summarise(machine, System.nanoTime() - begun);
            return code;
        } catch (MachineException e) {
            session.console().out().flush();
            session.console().complain(e.getMessage());
            return ExitCodes.FAILED;
        }
    }

    private MultibootGuest guest() {
        try {
            return KernelFile.read(file, commandLine, modules).guest(this::console, recorder);
        } catch (IllegalArgumentException e) {
            throw new RefusedException(e.getMessage(), e);
        } catch (IOException e) {
            throw new RefusedException(FileErrors.describe(e), e);
        }
    }

    private void console(int octet) {
        session.console().out().write(octet);
        if (octet == '\n') {
            session.console().out().flush();
        }
    }

    private int run(Machine machine, List<Design> designs, Interrupt interrupt) {
        boolean alive = true;
        while (alive) {
            alive = machine.run(swapEvery > 0 ? swapEvery : CHUNK);
            if (interrupt.asked()) {
                session.console().complain("interrupted after " + machine.operations() + " instructions");
                return ExitCodes.INTERRUPTED;
            }
            if (alive && machine.operations() >= most) {
                session.console().complain("stopped after " + machine.operations() + " instructions, as --most says");
                return ExitCodes.FAILED;
            }
            if (alive && swapEvery > 0) {
                Design next = designs.get(++swaps % designs.size());
                machine.hotSwap().swap(next.mmu(), next.changedSettings());
            }
        }
        session.console().out().flush();
        if (machine.checker() != null && machine.checker().wrong() > 0) {
            session.console().complain(machine.checker().wrong() + " translations are not allowed by the architecture; the first of them:");
            machine.checker().complaints().forEach(c -> session.console().err().println("  " + c));
            return ExitCodes.WRONG;
        }
        return machine.exitCode() & 0xff;
    }

    private void summarise(Machine machine, long nanos) {
        if (summary) {
            session.console().err().printf("%d instructions, %d exits, %d swaps, exit code %d, %.1f s, %.1f MIPS%n", machine.operations(),
                    machine.counters().getOrDefault("exits", 0L), swaps, machine.exitCode(), nanos / 1e9, machine.operations() * 1e3 / nanos);
            session.console().err().flush();
        }
    }
}
