package org.penumbra.experiments.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.penumbra.api.machine.MachineException;

class RunCommandTest {
    @TempDir
    Path folder;

    private final CommandLineFixture penumbra = new CommandLineFixture();

    @Test
    @DisplayName("X12 run prints the comparison, and the exits of each design")
    void run() {
        assertThat(penumbra.run("run", "shadow-vs-ept")).isZero();
        assertThat(penumbra.out().lines()).hasSizeGreaterThan(14)
                .anyMatch(l -> l.matches("trace:a +native .* 1.000x")).anyMatch(l -> l.matches("fork-heavy +ept-2m .* 1.048x"))
                .anyMatch(l -> l.startsWith("VM-EXIT "));
        assertThat(penumbra.err()).isEmpty();
    }

    @Test
    @DisplayName("options reach the machines")
    void options() throws IOException {
        Path mine = Files.createFile(folder.resolve("mine.json"));
        assertThat(penumbra.run("run", "--memory", "64M", "--paging", "pae", "--seed=7", "--repetitions", "2", "--set", "shadow.unsync=off",
                "--hardware", mine.toString(), "--check", "--design", "native,shadow", "--trace", "ls.xz", "shadow-vs-ept", "--json")).isZero();
        assertThat(penumbra.container.made).hasSize(4).allMatch(c -> c.memoryBytes() == 64 << 20 && c.check())
                .allMatch(c -> c.hardware().name().equals("mine"));
        assertThat(penumbra.json().at("/results")).extracting(r -> r.get("workload").asText() + r.get("seed").asText())
                .containsExactly("ls.xz7", "ls.xz7", "ls.xz8", "ls.xz8");
        assertThat(penumbra.json().at("/designs/1/settings/0/value").asText()).isEqualTo("off");
        assertThat(penumbra.json().at("/settings/seed").toString()).isEqualTo("{\"value\":7,\"origin\":\"command line\"}");
        assertThat(penumbra.json().at("/settings/memory_bytes/origin").asText()).isEqualTo("command line");
        assertThat(penumbra.json().at("/settings/paging").toString()).isEqualTo("{\"value\":\"pae\",\"origin\":\"command line\"}");
        assertThat(penumbra.json().at("/settings/hardware/origin").asText()).isEqualTo("command line");
        assertThat(penumbra.json().at("/settings/repetitions/origin").asText()).isEqualTo("command line");
    }

    @Test
    @DisplayName("X08 --events writes a file of all trials; an unknown trace point, a file that is there and --tracepoints alone are refused")
    void events() throws IOException {
        Path file = folder.resolve("events.json");
        assertThat(penumbra.run("run", "shadow-vs-ept", "--workload", "fork-heavy", "--design", "shadow,ept", "--events", file.toString())).isZero();
        assertThat(Files.readString(file)).contains("fork-heavy under shadow", "fork-heavy under ept");
        int made = penumbra.container.made.size();
        assertThat(penumbra.run("run", "shadow-vs-ept", "--events", file.toString())).isEqualTo(2);
        assertThat(penumbra.err()).contains("--events: " + file + " exists already");
        assertThat(penumbra.run("run", "shadow-vs-ept", "--events", "x.json", "--tracepoints", "kvm_exi")).isEqualTo(2);
        assertThat(penumbra.err()).contains("--tracepoints: unknown trace point 'kvm_exi'; did you mean 'kvm_exit'?");
        assertThat(penumbra.run("run", "shadow-vs-ept", "--tracepoints", "kvm_mmu_*")).isEqualTo(2);
        assertThat(penumbra.err()).contains("--tracepoints says what --events or --jfr write");
        Path begun = file.resolveSibling("begun.json");
        assertThat(penumbra.run("run", "shadow-vs-ept", "--events", begun.toString(), "--jfr", file.toString())).isEqualTo(2);
        assertThat(penumbra.err()).contains("--jfr: " + file + " exists already");
        assertThat(begun).as("nothing half-written").doesNotExist();
        assertThat(penumbra.container.made).as("nothing ran").hasSize(made);
    }

    @Test
    @DisplayName("T15 --figure changes the processor model of the machines, and the result says who did")
    void figure() {
        assertThat(penumbra.run("run", "shadow-vs-ept", "--figure", "walk.reference=7", "--figure", "cpu.exit=5", "--design", "native,shadow",
                "--json")).isZero();
        assertThat(penumbra.container.made).isNotEmpty()
                .allMatch(c -> c.hardware().figure("walk.reference") == 7 && c.hardware().figure("cpu.exit") == 5);
        assertThat(penumbra.json().at("/settings/figures").toString())
                .isEqualTo("{\"value\":{\"cpu.exit\":5,\"walk.reference\":7},\"origin\":\"command line\"}");
        assertThat(penumbra.json().at("/hardware/figures")).filteredOn(f -> f.get("source").asText().equals("set by the user"))
                .extracting(f -> f.get("key").asText()).containsExactly("walk.reference", "cpu.exit");
        assertThat(penumbra.run("run", "shadow-vs-ept", "--json")).isZero();
        assertThat(penumbra.json().at("/settings/figures").toString()).isEqualTo("{\"value\":{},\"origin\":\"default\"}");
    }

    @Test
    @DisplayName("T15 with a functional TLB what TLBs and walks do and cost is not reported, in no table and no file, and the heading says so")
    void functionalTlb() {
        String[] arguments = {"run", "shadow-vs-ept", "--workload", "fork-heavy", "--design", "native,shadow", "--figure", "tlb.model=0", "--quiet", "--json"};
        assertThat(penumbra.run(arguments)).isZero();
        assertThat(penumbra.json().at("/results/1/metrics").properties()).extracting(Map.Entry::getKey)
                .contains("operations", "accesses", "exits", "exit_cycles.EPT_VIOLATION")
                .doesNotContain("first_level_misses", "second_level_hits", "walks", "guest_references", "host_references", "references_per_walk",
                        "cycles", "overhead_over_native").noneMatch(m -> m.startsWith("cycles."));
        assertThat(penumbra.json().at("/settings/figures").toString()).isEqualTo("{\"value\":{\"tlb.model\":0},\"origin\":\"command line\"}");
        assertThat(penumbra.run(Arrays.copyOf(arguments, arguments.length - 1))).isZero();
        assertThat(penumbra.out()).startsWith("shadow-vs-ept on skylake with a functional TLB, ")
                .containsPattern("fork-heavy +shadow +[0-9,]+ +- +- +- +[0-9,]+ +- +-").contains("was not measured, nor cycles");
    }

    @Test
    @DisplayName("X06 --json prints one document and nothing else")
    void json() {
        assertThat(penumbra.run("run", "shadow-vs-ept", "--workload", "fork-heavy", "--check", "--json")).isZero();
        assertThat(penumbra.json().at("/results/1/metrics/cycles").asLong()).isEqualTo(2_620_000);
        assertThat(penumbra.json().at("/results/1/metrics/guest_digest").asText()).matches("0x[0-9a-f]{16}");
        assertThat(penumbra.json().at("/results/1/exits/0/reason").asText()).isEqualTo("EPT_VIOLATION");
        assertThat(penumbra.json().at("/results/1/complaints")).isEmpty();
        assertThat(penumbra.err()).isEmpty();
    }

    @Test
    @DisplayName("--quiet leaves the tables of exits out")
    void quiet() {
        assertThat(penumbra.terminal(true, true, false).run("run", "shadow-vs-ept", "--quiet")).isZero();
        assertThat(penumbra.out()).contains("fork-heavy").doesNotContain("VM-EXIT");
        assertThat(penumbra.err()).isEmpty();
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
        "run walk-dimensions --memory 1G | --memory: experiment 'walk-dimensions' brings its own guests; it takes --hardware and --figure",
        "run published-plugins | neither 'agile' nor 'flattened' is in the container; build one under examples and add --plugins DIR",
        "run shadow-vs-etp | unknown experiment 'shadow-vs-etp'; did you mean 'shadow-vs-ept'? known: shadow-vs-ept, hot-swap, shadow-mechanisms, nested, dirty-logging, sub-page-tracking, walk-dimensions, paging-structure-caches, published-orders, published-plugins",
        "run shadow-vs-ept --design shadw | unknown design 'shadw'; did you mean 'shadow'? known: native, ept, ept-2m, shadow, shadow-2m",
        "run shadow-vs-ept --workload fork | unknown workload 'fork'; known: fork-heavy, trace:a, trace:b",
        "run shadow-vs-ept --hardware skylak | unknown hardware 'skylak'; did you mean 'skylake'? known: haswell, skylake",
        "run shadow-vs-ept --set shadow.rots=1 | unknown setting 'shadow.rots'; did you mean 'shadow.roots'? known: ept.large-pages, shadow.roots, shadow.unsync",
        "run shadow-vs-ept --set shadow.roots | value for option '--set' (KEY=VALUE) is 'shadow.roots'; write KEY=VALUE (see 'penumbra run --help')",
        "run shadow-vs-ept --memory 3M | --memory: guest memory of 3145728 bytes; a positive multiple of 2 MiB is needed, for example 256M or 1G",
        "run shadow-vs-ept --memory lots | invalid value for option '--memory': 'lots' is no size; write for example 256M or 1G (see 'penumbra run --help')",
        "run shadow-vs-ept --paging pse | --paging: unknown paging mode 'pse'; did you mean 'pae'? known: none, 32bit, pae, 4level, 5level",
        "run shadow-vs-ept --paging none | workload 'fork-heavy' cannot run without paging",
        "run shadow-vs-ept --seed x | invalid value for option '--seed': 'x' is no whole number (see 'penumbra run --help')",
        "run shadow-vs-ept --repetitions 0 | --repetitions: 0; 1 or more is needed",
        "run | missing required parameter: 'EXPERIMENT' (see 'penumbra run --help')",
        "run shadow-vs-ept --design shadow ept | unexpected argument 'ept'; a list is written with commas, for example --design shadow,ept (see 'penumbra run --help')",
        "run shadow-vs-ept --histogram x | --histogram: experiment 'shadow-vs-ept' swaps nothing; it is an option of hot-swap",
        "run hot-swap --vcpus 1,x | invalid value for option '--vcpus' (N): 'x' is no whole number (see 'penumbra run --help')",
        "run hot-swap --vcpus 0 | --vcpus: 0; 1 to 64 are possible",
        "run shadow-vs-ept --figure walk.refrence=1 | --figure: unknown figure \"walk.refrence\"",
        "run shadow-mechanisms --design shadow --workload fork-heavy --figure tlb.model=0 | tlb.model is 0: experiment 'shadow-mechanisms' shows what TLBs and walks do or cost, which a functional TLB does not measure",
        "run walk-dimensions --figure tlb.model=0 | tlb.model is 0: experiment 'walk-dimensions' shows what TLBs and walks do or cost, which a functional TLB does not measure",
        "run shadow-vs-ept --figure tlb.model=0 --events x.json | tlb.model is 0: the time axis of --events and --jfr, simulated cycles, shows what TLBs and walks do or cost, which a functional TLB does not measure",
        "run hot-swap --histogram . | --histogram: '.' is a folder; name a file",
        "run hot-swap --histogram pom.xml | --histogram: 'pom.xml' exists; name another, or give --force to replace it",
        "run shadow-vs-ept --out . | --out: folder '.' is not empty; name another, or give --force to replace results.csv, run.json and timings.json in it",
    })
    void refused(String arguments, String message) {
        assertThat(penumbra.run(arguments.split(" "))).isEqualTo(2);
        assertThat(penumbra.err()).isEqualTo("penumbra: " + message + System.lineSeparator());
        assertThat(penumbra.out()).isEmpty();
        assertThat(penumbra.container.made).isEmpty();
    }

    @Test
    @DisplayName("a misspelt option is answered with the right one")
    void option() {
        assertThat(penumbra.run("run", "shadow-vs-ept", "--desing=x")).isEqualTo(2);
        assertThat(penumbra.errLines()).singleElement().asString()
                .startsWith("penumbra: unknown option '--desing'; did you mean '--design'? known: --after, --append, --check, --design, ");
        assertThat(penumbra.run("run", "hot-swap", "--evry", "5")).isEqualTo(2);
        assertThat(penumbra.errLines()).singleElement().asString().startsWith("penumbra: unknown option '--evry'; did you mean '--every'? ");
    }

    @Test
    @DisplayName("X04 a failed trial is one line and exit code 1; the others are printed and written")
    void failure() {
        penumbra.container.behaviour("shadow").failure = new MachineException("triple fault");
        Path out = folder.resolve("out");
        assertThat(penumbra.run("run", "shadow-vs-ept", "--workload", "fork-heavy", "--out", out.toString())).isEqualTo(1);
        assertThat(penumbra.errLines()).containsExactly("penumbra: fork-heavy under shadow failed: triple fault");
        assertThat(penumbra.out()).containsPattern("fork-heavy +shadow .* failed").containsPattern("fork-heavy +ept .* 1.048x");
        assertThat(out.resolve("results.csv")).content().contains(",ept-2m,").doesNotContain(",shadow,");
        penumbra.run("run", "shadow-vs-ept", "--workload", "fork-heavy", "--stacktrace");
        assertThat(penumbra.err()).contains("MachineException: triple fault", "\tat ");
    }

    @Test
    @DisplayName("X04 trials that fail for one reason are one line and a count")
    void failuresAlike() {
        penumbra.container.behaviour("shadow").failure = new MachineException("out of memory");
        penumbra.container.behaviour("ept").failure = new MachineException("out of memory");
        assertThat(penumbra.run("run", "shadow-vs-ept", "--workload", "fork-heavy", "--design", "native,shadow,ept")).isEqualTo(1);
        assertThat(penumbra.errLines()).containsExactly(
                "penumbra: fork-heavy under shadow failed: out of memory", "penumbra: 1 more trial failed for reasons given above");
    }

    @Test
    @DisplayName("X04 a wrong translation is exit code 3, with the first complaints")
    void wrong() {
        penumbra.container.behaviour("ept").wrong = 2;
        assertThat(penumbra.run("run", "shadow-vs-ept", "--workload", "fork-heavy", "--design", "native,ept", "--check")).isEqualTo(3);
        assertThat(penumbra.errLines()).containsExactly(
                "penumbra: fork-heavy under ept: 2 of 3000000 translations are not allowed by the architecture; the first of them:",
                "  vCPU 0: gva 0x1000 user read got hpa 0x2000, allowed 0x3000");
        assertThat(penumbra.out()).contains("Stale, legal");
    }

    @Test
    @DisplayName("P01 hot-swap prints a line for each workload and number of vCPUs; every machine is checked and has that many")
    void hotSwap() {
        assertThat(penumbra.run("run", "hot-swap", "--workload", "fork-heavy", "--vcpus", "1,2", "--every", "500000")).isZero();
        assertThat(penumbra.container.made).extracting(c -> c.vcpus() + " " + c.check() + " " + c.threads())
                .containsExactly("1 true false", "1 true false", "2 true false", "2 true false");
        assertThat(penumbra.out().lines()).anyMatch(l -> l.matches("fork-heavy +1 +4 +3,000,000 +0 +0 +0 +0 +yes, yes .*"))
                .anyMatch(l -> l.matches("fork-heavy +2 +2 +3,000,000 .*"));
        assertThat(penumbra.err()).isEmpty();
    }

    @Test
    @DisplayName("P01 hot-swap without --check says nothing of what only the checker knows")
    void hotSwapUnchecked() {
        assertThat(penumbra.run("run", "hot-swap", "--workload", "fork-heavy", "--vcpus", "1", "--no-check")).isZero();
        assertThat(penumbra.container.made).noneMatch(c -> c.check());
        assertThat(penumbra.out().lines()).anyMatch(l -> l.matches("fork-heavy +1 +124 +- +- +0 +- +- +yes, yes .*"));
    }

    @Test
    @DisplayName("P01 whatever a swap loses is exit code 3, with a line that says what")
    void hotSwapLoses() {
        penumbra.container.behaviour("shadow").lostBySwap = 1;
        penumbra.container.behaviour("shadow").memoryChangedBySwap = 1;
        penumbra.container.behaviour("shadow").swapForgetsDirty = true;
        penumbra.container.behaviour("shadow").misconduct = List.of("ept (x 1): law 4");
        assertThat(penumbra.run("run", "hot-swap", "--workload", "fork-heavy", "--vcpus", "1", "--every", "500000")).isEqualTo(3);
        assertThat(penumbra.errLines()).hasSize(5).anyMatch(l -> l.contains("fork-heavy (seed 1) did not run the same under every design: 2499996 "))
                .contains("penumbra: the guest of fork-heavy (seed 1) left another memory behind under shadow+ept than under shadow",
                        "penumbra: fork-heavy under shadow+ept: ept (x 1): law 4")
                .anyMatch(l -> l.matches("penumbra: fork-heavy under shadow\\+ept: the dirty log missed [1-9]\\d* of \\d+ written frames"));
        assertThat(penumbra.out()).containsPattern("fork-heavy +1 +4 .* -4 .* yes, no ");
    }

    @Test
    @DisplayName("P01 --histogram writes the wall pauses of all swaps; --out has them in timings.json and nowhere else")
    void pauses() throws IOException {
        Path file = folder.resolve("pauses.hgrm");
        Path out = folder.resolve("out");
        assertThat(penumbra.run("run", "hot-swap", "--workload", "fork-heavy", "--vcpus", "1", "--every", "500000", "--histogram",
                file.toString(), "--out", out.toString())).isZero();
        // Of the four pauses, 10 to 40 ns, the largest in microseconds.
        assertThat(Files.readAllLines(file)).anyMatch(l -> l.matches(" +0.040 1.000000000000 +4"))
                .anyMatch(l -> l.matches("#\\[Max +=.*Total count +=  +4]"));
        assertThat(Files.readString(out.resolve("timings.json"))).contains("\"number\" : 4", "\"p50\" : 0.02", "\"max\" : 0.04");
        assertThat(Files.readString(out.resolve("run.json"))).doesNotContain("pause");
        assertThat(Files.readString(out.resolve("results.csv"))).doesNotContain("pause").contains(",shadow+ept,");
    }

    @Test
    @DisplayName("X12 a guest that ran differently under two designs is exit code 3")
    void disagreement() {
        penumbra.container.behaviour("ept").digest++;
        assertThat(penumbra.run("run", "shadow-vs-ept", "--workload", "fork-heavy", "--design", "native,ept")).isEqualTo(3);
        assertThat(penumbra.errLines()).singleElement().asString()
                .startsWith("penumbra: the guest of fork-heavy (seed 1) did not run the same under every design: ");
    }

    @Test
    @DisplayName("X04 an interrupt is exit code 130; what had finished is printed and written")
    void interrupted() {
        penumbra.container.behaviour("shadow").atBatch = () -> penumbra.interrupt.ask();
        Path out = folder.resolve("out");
        assertThat(penumbra.run("run", "shadow-vs-ept", "--workload", "fork-heavy", "--out", out.toString())).isEqualTo(130);
        assertThat(penumbra.errLines()).containsExactly("penumbra: interrupted after 1 of 4 trials");
        assertThat(penumbra.out().lines().filter(l -> l.startsWith("fork-heavy"))).singleElement().asString().contains("native");
        assertThat(out.resolve("results.csv")).content().contains(",native,").doesNotContain(",shadow,");
        assertThat(out.resolve("run.json")).content().contains("\"interrupted\" : true", "\"not run\"");
        assertThat(penumbra.container.open).isZero();
    }

    @Test
    @DisplayName("X04 results are written after each trial, so that even a killed process leaves them")
    void incremental() {
        Path out = folder.resolve("out");
        List<String> seen = new java.util.ArrayList<>();
        penumbra.container.behaviour("ept").atBatch = () -> {
            try {
                seen.add(Files.readString(out.resolve("results.csv")));
            } catch (IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        };
        assertThat(penumbra.run("run", "shadow-vs-ept", "--workload", "fork-heavy", "--out", out.toString())).isZero();
        assertThat(seen.get(0)).contains(",native,", ",shadow,").doesNotContain(",ept,");
    }

    @Test
    @DisplayName("X06 results that cannot be written are said once, do not end the run, and are exit code 1")
    void unwritable() throws IOException {
        Path out = Files.createDirectory(folder.resolve("out"));
        Files.createDirectories(out.resolve("run.json/in the way"));
        assertThat(penumbra.run("run", "shadow-vs-ept", "--workload", "fork-heavy", "--out", out.toString(), "--force")).isEqualTo(1);
        assertThat(penumbra.errLines()).singleElement().asString().startsWith("penumbra: results are not written: ");
        assertThat(penumbra.out()).containsPattern("fork-heavy +ept-2m .* 1.048x");
    }

    @Test
    @DisplayName("X12 of many disagreements the first five are printed")
    void manyDisagreements() {
        penumbra.container.behaviour("ept").digest++;
        assertThat(penumbra.run("run", "shadow-vs-ept", "--design", "native,ept", "--repetitions", "4")).isEqualTo(3);
        assertThat(penumbra.errLines()).hasSize(6).last().isEqualTo("penumbra: … and so did 7 more");
    }

    @Test
    @DisplayName("X06 the same command writes the same results.csv and run.json")
    void sameBytes() {
        Path a = folder.resolve("a");
        Path b = folder.resolve("b");
        penumbra.run("run", "shadow-vs-ept", "--repetitions", "2", "--out", a.toString());
        penumbra.run("run", "shadow-vs-ept", "--repetitions", "2", "--out", b.toString());
        assertThat(b.resolve("results.csv")).hasSameBinaryContentAs(a.resolve("results.csv"));
        assertThat(b.resolve("run.json")).hasSameBinaryContentAs(a.resolve("run.json"));
    }

    @Test
    @DisplayName("X04 progress is shown on a terminal only, on standard error, and taken away at the end")
    void progress() {
        assertThat(penumbra.terminal(false, true, true).run("run", "shadow-vs-ept", "--json")).isZero();
        assertThat(penumbra.err()).contains("\r[1/12] trace:a under native    0%").contains("[12/12] fork-heavy under ept-2m").endsWith("\r")
                .doesNotContain("\n");
        assertThat(penumbra.json().at("/results")).hasSize(12);
    }

    @Test
    @DisplayName("colours only on a terminal that wants them")
    void colours() {
        penumbra.terminal(true, true, true).run("run", "shadow-vs-ept", "--quiet");
        assertThat(penumbra.out()).contains("\u001b[1mWorkload");
        penumbra.terminal(true, true, false).run("run", "shadow-vs-ept", "--quiet");
        assertThat(penumbra.out()).doesNotContain("\u001b");
        penumbra.terminal(false, true, true).run("run", "shadow-vs-ept", "--quiet");
        assertThat(penumbra.out()).doesNotContain("\u001b");
    }
}
