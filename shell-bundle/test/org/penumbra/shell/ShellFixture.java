package org.penumbra.shell;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BooleanSupplier;
import org.apache.felix.gogo.runtime.CommandProcessorImpl;
import org.apache.felix.gogo.runtime.threadio.ThreadIOImpl;
import org.apache.felix.gogo.shell.Posix;
import org.apache.felix.gogo.shell.Procedural;
import org.apache.felix.service.command.Descriptor;
import org.penumbra.api.command.CommandLine;
import org.penumbra.api.cpu.EngineFactory;
import org.penumbra.api.interrupt.InterruptControllerFactory;
import org.penumbra.api.interrupt.Interrupts;
import org.penumbra.api.machine.HotSwap;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.machine.Machines;
import org.penumbra.api.machine.SwapReport;
import org.penumbra.api.mmu.MmuFactory;
import org.penumbra.api.observe.ExitTable;

/** All commands in a real Gogo, over a fake container with the designs "shadow" and "ept" and machines that only remember. */
final class ShellFixture implements AutoCloseable {
    final FakeFramework framework = new FakeFramework();
    final FakeFramework.FakeBundle shadow = framework.bundle("org.example.shadow");
    final FakeFramework.FakeBundle ept = framework.bundle("org.example.ept");
    final Container container = new Container(framework.context, framework.tools);
    final Jobs jobs = new Jobs();
    final Notices notices = new Notices();
    /** What was asked of machines, in order. */
    final List<String> calls = new ArrayList<>();
    /** What {@code penumbra} answers, once a job is let end. */
    int exitCode;
    final CountDownLatch mayEnd = new CountDownLatch(1);

    private final List<Machines.Running> machines = new ArrayList<>();
    private final ThreadIOImpl io = new ThreadIOImpl();
    private final CommandProcessorImpl processor = new CommandProcessorImpl(io);
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    ShellFixture() {
        io.start();
        framework.publish(shadow, MmuFactory.class, design("shadow", new MmuFactory.Setting("shadow.unsync", "on",
                List.of("on", "off"), "")), MmuFactory.MMU_NAME, "shadow", MmuFactory.MMU_DIMENSIONS, "1");
        framework.publish(ept, MmuFactory.class, design("ept", new MmuFactory.Setting("ept.roots", "3", List.of(), "")),
                MmuFactory.MMU_NAME, "ept", MmuFactory.MMU_DIMENSIONS, "2");
        framework.publish(framework.bundle("org.example.devices"), InterruptControllerFactory.class, new Object(),
                InterruptControllerFactory.CONTROLLER_NAME, "x2apic");
        framework.publish(framework.bundle("org.example.engines"), EngineFactory.class, new Object(), EngineFactory.ENGINE_NAME, "steps");
        framework.publish(framework.bundle("org.example.vmx"), Machines.class, (Machines) () -> machines);
        MachineCommands onMachines = new MachineCommands(container);
        onMachines.machines = () -> machines;
        jobs.commandLine = new FakeCommandLine();
        add(onMachines, new BundleCommands(container), new JobCommands(jobs), new WaitCommand(jobs), new SessionCommands(container));
        processor.addConverter(new Display());
        processor.addCommand("gogo", new Posix(), "grep");
        processor.addCommand("gogo", new Posix(), "echo");
        processor.addCommand("gogo", new Procedural(), "each");
    }

    private void add(Object... services) {
        FakeFramework.FakeBundle shell = framework.bundle("org.example.shell");
        for (Object service : services) {
            List<String> names = service instanceof WaitCommand ? List.of("wait") : Arrays.stream(service.getClass().getDeclaredMethods())
                    .filter(m -> m.isAnnotationPresent(Descriptor.class)).map(Method::getName).toList();
            framework.publish(shell, service.getClass(), service, "osgi.command.function", String.join(",", names));
            names.forEach(n -> processor.addCommand(Catalog.SCOPE, service, n));
        }
    }

    /** Starts a machine under {@code design}. */
    void machine(int id, String design) {
        HotSwap swap = FakeFramework.proxy(HotSwap.class, (self, method, arguments) -> switch (method.getName()) {
            case "design" -> design;
            case "waiting" -> false;
            case "reports" -> List.of(report(design, "ept"), report("ept", design));
            case "misconduct" -> List.of("ept: law 4");
            case "swapEngine" -> calls.add("engine " + id + " " + arguments[0]);
            case "audit" -> null;
            case "swap" -> {
                calls.add("swap " + id + " " + arguments[0] + " " + arguments[1]);
                if (arguments[0].equals("shadow")) {
                    throw new MachineException("the gate did not close within 5 s:\nvCPU 0 works");
                }
                yield report(design, (String) arguments[0]);
            }
            default -> throw new UnsupportedOperationException(method.toString());
        });
        ExitTable exits = new ExitTable();
        exits.add(48, 1000);
        exits.add(48, 3000);
        Interrupts interrupts = FakeFramework.proxy(Interrupts.class,
                (self, method, arguments) -> calls.add(method.getName() + " " + arguments[0]) ? null : null);
        Map<String, Object> answers = Map.of("hotSwap", swap, "exits", exits, "vcpus", 2, "operations", 1_234_567L, "mmuBundle",
                "org.example." + design + " 1.0.0", "counters", new TreeMap<>(Map.of("exits", 2L, "pf_taken", 12_345L)),
                "interrupts", interrupts);
        machines.add(new Machines.Running(id, FakeFramework.proxy(Machine.class, (self, method, arguments) -> answers.get(method.getName()))));
    }

    private static SwapReport report(String from, String to) {
        return new SwapReport("asked for", from + " (org.example." + from + " 1.0.0)", to + " (org.example." + to + " 1.0.0)", 100,
                2_000, 3_000, 700, 4, 5, 6);
    }

    /** Runs a script; answers the exit code. */
    int run(String name, String script) {
        out.reset();
        err.reset();
        PrintStream printer = new PrintStream(out, true, StandardCharsets.UTF_8);
        PrintStream messages = new PrintStream(err, true, StandardCharsets.UTF_8);
        return new PenumbraShell(processor, container, jobs, notices, printer, messages).run(name,
                new ByteArrayInputStream(script.getBytes(StandardCharsets.UTF_8)));
    }

    /** Runs what succeeds; answers what it printed. */
    List<String> lines(String script) {
        assertThat(run("", script)).as(() -> err()).isZero();
        return out().lines().toList();
    }

    /** Runs what is refused; answers the one line that says so. */
    String refusal(String script) {
        assertThat(run("", script)).isEqualTo(1);
        assertThat(err().lines()).hasSize(1);
        assertThat(err()).startsWith("penumbra: ");
        return err().strip().substring("penumbra: ".length());
    }

    /** The completions of the command before {@code |}, where the cursor is. */
    List<String> complete(String line) {
        try (var session = processor.createSession(new ByteArrayInputStream(new byte[0]), out, err)) {
            return new Completion(container, new Catalog(container, session), jobs, Path.of("/nowhere"))
                    .candidates(TypedLine.of(line, line.length()).words());
        }
    }

    String out() {
        return out.toString(StandardCharsets.UTF_8);
    }

    String err() {
        return err.toString(StandardCharsets.UTF_8);
    }

    private static MmuFactory design(String name, MmuFactory.Setting setting) {
        return FakeFramework.proxy(MmuFactory.class, (self, method, arguments) -> switch (method.getName()) {
            case "description" -> "what " + name + " does";
            case "settings" -> List.of(setting);
            default -> throw new UnsupportedOperationException(method.toString());
        });
    }

    @Override
    public void close() {
        mayEnd.countDown();
        jobs.close();
        processor.stop();
        io.stop();
    }

    private final class FakeCommandLine implements CommandLine {
        @Override
        public int run(List<String> arguments, PrintWriter printer, PrintWriter messages, BooleanSupplier stop) {
            printer.println("ran " + arguments);
            AtomicBoolean over = new AtomicBoolean();
            while (!over.get() && !stop.getAsBoolean()) {
                try {
                    over.set(mayEnd.await(5, java.util.concurrent.TimeUnit.MILLISECONDS));
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
            }
            return stop.getAsBoolean() ? 130 : exitCode;
        }

        @Override
        public List<String> complete(List<String> arguments) {
            return List.of("of " + arguments);
        }
    }
}
