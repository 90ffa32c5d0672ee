package org.penumbra.itest;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.osgi.test.common.annotation.InjectService;
import org.penumbra.api.command.CommandLine;

/** {@code penumbra boot --snapshot} and {@code penumbra restore}: guests in machine code that are saved somewhere and go on under another design. */
class SnapshotTest {
    private static final Path KERNELS = Path.of(System.getProperty("penumbra.test.kernels"));
    private static final List<String> RESTORED = List.of("shadow", "ept", "npt", "ept-2m", "shadow --check", "ept --check", "npt --check");

    @InjectService
    CommandLine penumbra;

    @TempDir
    Path folder;

    private record Outcome(int code, String out, String err) {
        /** Instructions, exit code and digests of the guest's console and memory, as the summary has them. */
        String end() {
            return err.replaceAll(" instructions,.*?, exit code (\\d+),.*, guest", " instructions, exit code $1, guest");
        }
    }

    private Outcome run(String... arguments) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        List<String> words = new ArrayList<>();
        for (String a : arguments) {
            words.addAll(List.of(a.split(" ")));
        }
        int code = penumbra.run(words, new PrintWriter(out), new PrintWriter(err), () -> false);
        return new Outcome(code, out.toString(), err.toString());
    }

    private Outcome boot(String kernel, String... options) {
        List<String> all = new ArrayList<>(List.of("boot", KERNELS.resolve(kernel + ".elf").toString(), "--append nopku --hardware icelake-server --summary"));
        all.addAll(List.of(options));
        return run(all.toArray(String[]::new));
    }

    @ParameterizedTest(name = "P10 a kernel saved at random instructions under one design ends in the same way under each other: {0}")
    @CsvSource({"selftest, shadow", "selftest, npt", "interrupts, ept", "interrupts, shadow", "state, shadow", "legacy, npt", "legacy, shadow",
        "la57, ept", "la57, shadow", "debug, shadow", "debug, ept"})
    void kernels(String kernel, String design) {
        Outcome whole = boot(kernel, "--mmu " + design);
        assertThat(whole.code()).isZero();
        assertThat(whole.end()).matches("\\d+ instructions, exit code 0, guest [0-9a-f]{16}, memory [0-9a-f]{16}\n");
        long instructions = Long.parseLong(whole.err().replaceAll("(?s) instructions.*", ""));
        Random random = new Random(kernel.hashCode() + design.hashCode());
        List<String> options = new ArrayList<>(List.of("--mmu " + design));
        List<Path> files = new ArrayList<>();
        for (int i = 0; i < RESTORED.size(); i++) {
            Path file = folder.resolve(i + ".psnap");
            files.add(file);
            options.add("--snapshot " + random.nextLong(1, instructions) + "=" + file);
        }
        Outcome saved = boot(kernel, options.toArray(String[]::new));
        assertThat(saved.end()).as("goes on after snapshots").isEqualTo(whole.end());
        assertThat(saved.out()).isEqualTo(whole.out());
        for (int i = 0; i < files.size(); i++) {
            Outcome restored = run("restore", files.get(i).toString(), "--summary --mmu", RESTORED.get(i));
            assertThat(restored.end()).as("%s from %s under %s", kernel, options.get(i + 1), RESTORED.get(i)).isEqualTo(whole.end());
            assertThat(restored.code()).isZero();
            assertThat(whole.out()).endsWith(restored.out());
        }
    }

    @Test
    @DisplayName("P10 a restored guest is saved again and swapped like any other, and equal machines have equal files")
    void again() throws IOException {
        Outcome whole = boot("interrupts", "--mmu shadow");
        Path first = folder.resolve("first");
        Path second = folder.resolve("second");
        Path direct = folder.resolve("direct");
        boot("interrupts", "--mmu shadow --snapshot 100003=" + first, "--snapshot 300007=" + direct);
        Outcome restored = run("restore", first.toString(), "--mmu shadow,ept,npt --swap-every 7919 --check --summary --snapshot 300007=" + second);
        assertThat(restored.end()).isEqualTo(whole.end());
        Path third = folder.resolve("third");
        Outcome fromSecond = run("restore", second.toString(), "--mmu shadow --summary");
        assertThat(fromSecond.end()).isEqualTo(whole.end());
        assertThat(run("restore", first.toString(), "--mmu shadow --snapshot 300007=" + third).code()).isZero();
        assertThat(Files.readAllBytes(third)).as("saved at once, and after a restore").isEqualTo(Files.readAllBytes(direct));
    }

    @Test
    @DisplayName("P10 a guest of an experiment is saved from the shell, and goes on from the file by its workload, seed and input, under another design")
    void ofAnExperiment() throws Exception {
        Path file = folder.resolve("guest.psnap");
        Path script = Files.writeString(folder.resolve("script"), """
                run shadow-vs-ept --workload trace:sqlite --design shadow --quiet
                machines -w 30
                snapshot 1 guest.psnap
                wait 1
                """);
        try (Launched shell = new Launched(folder, "shell", script.toString())) {
            assertThat(shell.type("").exitCode()).as(shell.err()).isZero();
            assertThat(shell.out()).containsPattern("File +" + file).containsPattern("Design +shadow").contains("trace:sqlite  shadow");
        }
        Outcome shadow = run("restore", file.toString(), "--summary");
        assertThat(shadow.code()).as(shadow.err()).isZero();
        assertThat(shadow.end()).matches("\\d+ instructions, exit code 0, guest [0-9a-f]{16}, memory [0-9a-f]{16}\n");
        assertThat(run("restore", file.toString(), "--mmu npt --check --summary").end()).isEqualTo(shadow.end());
        Path another = Files.writeString(folder.resolve("another.trace"), "I  04000000,3\n");
        assertThat(run("restore", file.toString(), "--trace " + another).err()).contains("does not fit: its guest is {input=sha256:").hasLineCount(1);
    }

    @Test
    @DisplayName("P10 what cannot be saved or restored is refused with one line")
    void refused() throws IOException {
        assertThat(boot("selftest", "--mmu native --snapshot 5=" + folder.resolve("a")).err()).startsWith("penumbra: --snapshot: a machine without a hypervisor").hasLineCount(1);
        assertThat(boot("selftest", "--mmu ept --snapshot 5=/nowhere/a").err()).startsWith("penumbra: --snapshot 5=/nowhere/a: ").hasLineCount(1);
        Outcome late = boot("selftest", "--mmu ept --snapshot 999999999=" + folder.resolve("late"));
        assertThat(late.err()).contains("before --snapshot 999999999");
        assertThat(late.code()).isEqualTo(1);
        assertThat(folder).as("no unfinished file is left").isEmptyDirectory();
        Path file = folder.resolve("good.psnap");
        assertThat(boot("selftest", "--mmu ept --snapshot 5000=" + file).code()).isZero();
        assertThat(run("restore", file.toString(), "--mmu native").err()).startsWith("penumbra: --mmu native: a snapshot is of a machine with a hypervisor")
                .hasLineCount(1);
        assertThat(run("restore", file.toString(), "--hardware skylake").err()).contains("good.psnap does not fit: its processor is").hasLineCount(1);
        assertThat(run("restore", file.toString(), "--snapshot 5=" + folder.resolve("b")).err()).isEqualTo(
                "penumbra: --snapshot 5: the guest has retired 5000 instructions already\n");
        Path text = Files.writeString(folder.resolve("text"), "a text of some length");
        assertThat(run("restore", text.toString()).err()).isEqualTo("penumbra: " + text + " is no snapshot of a machine\n");
        assertThat(run("restore", text.toString()).code()).isEqualTo(2);
    }
}
