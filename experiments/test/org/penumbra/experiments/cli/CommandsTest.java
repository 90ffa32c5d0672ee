package org.penumbra.experiments.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.penumbra.api.clock.Work;
import org.penumbra.experiments.run.FakeContainer;
import picocli.CommandLine;

class CommandsTest {
    @TempDir
    Path folder;

    private final CommandLineFixture penumbra = new CommandLineFixture();

    static Stream<CommandLine> commands() {
        Console console = new Console(new PrintWriter(new StringWriter()), new PrintWriter(new StringWriter()),
                new Terminal(false, false, false, false));
        List<CommandLine> all = new ArrayList<>();
        collect(PenumbraCommand.commandLine(new Session(new FakeContainer().registry, console, f -> null, Interrupt::new,
                new FakeLateBundles())), all);
        return all.stream();
    }

    private static void collect(CommandLine command, List<CommandLine> all) {
        all.add(command);
        command.getSubcommands().values().forEach(c -> collect(c, all));
    }

    @ParameterizedTest
    @MethodSource("commands")
    @DisplayName("every command has a help that explains it and each of its options, and takes --json")
    void help(CommandLine command) {
        String help = command.getUsageMessage(CommandLine.Help.Ansi.OFF);
        assertThat(help).startsWith("Usage: " + command.getCommandSpec().qualifiedName()).contains("--json", "--help");
        assertThat(command.getCommandSpec().usageMessage().description()).isNotEmpty();
        assertThat(command.getCommandSpec().options()).allMatch(o -> o.description().length > 0 && o.description()[0].endsWith("."));
        assertThat(command.getCommandSpec().positionalParameters()).allMatch(p -> p.description().length > 0);
        assertThat(help.lines()).allMatch(l -> l.length() <= 100);
    }

    @Test
    @DisplayName("--help and help show the same, on standard output")
    void helpTwice() {
        for (String[] command : new String[][] {{"run"}, {"list"}, {"trace"}, {"trace", "record"}, {"hardware", "show"}}) {
            List<String> asked = new ArrayList<>(List.of(command));
            asked.add(0, "help");
            assertThat(penumbra.run(asked.toArray(String[]::new))).isZero();
            String help = penumbra.out();
            List<String> option = new ArrayList<>(List.of(command));
            option.add("--help");
            assertThat(penumbra.run(option.toArray(String[]::new))).isZero();
            assertThat(penumbra.out()).isEqualTo(help).startsWith("Usage: penumbra " + String.join(" ", command));
            assertThat(penumbra.err()).isEmpty();
        }
    }

    @Test
    @DisplayName("without a command the help goes to standard error, with exit code 2")
    void nothing() {
        assertThat(penumbra.run()).isEqualTo(2);
        assertThat(penumbra.out()).isEmpty();
        assertThat(penumbra.err()).startsWith("Usage: penumbra ");
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
        "rnu | unknown command 'rnu'; did you mean 'run'? known: boot, hardware, help, list, plugin, restore, run, shell, trace, verify, walk (see 'penumbra --help')",
        "help rn | unknown command 'rn'; did you mean 'run'? known: boot, hardware, help, list, plugin, restore, run, shell, trace, verify, walk",
        "trace | missing required subcommand (see 'penumbra trace --help')",
        "trace inf x | unknown command 'inf'; did you mean 'info'? known: convert, info, record (see 'penumbra trace --help')",
        "list design | unknown list 'design'; did you mean 'designs'? known: experiments, designs, hardware, workloads, paging, tracepoints",
        "hardware show skylke | unknown hardware 'skylke'; did you mean 'skylake'? known: haswell, skylake",
        "boot /none.elf | /none.elf: there is no such file",
        "restore /none.psnap | /none.psnap: there is no such file",
        "restore /etc/passwd | /etc/passwd is no snapshot of a machine",
        "trace convert a | missing required parameter: 'OUT' (see 'penumbra trace convert --help')",
        "trace convert a /etc/passwd | '/etc/passwd' exists; give another name, or --force to replace it",
        "trace record | missing required parameter: 'COMMAND' (see 'penumbra trace record --help')",
        "trace record --limit 0 ls | cannot stop after 0 records; record 1 or more",
        "trace record --skip -1 ls | cannot skip -1 records; skip 0 or more",
        "trace record --out /etc/passwd ls | '/etc/passwd' exists; give another --out, or --force to replace it",
    })
    void refused(String arguments, String message) {
        assertThat(penumbra.run(arguments.split(" "))).isEqualTo(2);
        assertThat(penumbra.err()).isEqualTo("penumbra: " + message + System.lineSeparator());
        assertThat(penumbra.out()).isEmpty();
    }

    @Test
    @DisplayName("--version names Penumbra and Java")
    void version() {
        assertThat(penumbra.run("--version")).isZero();
        assertThat(penumbra.out().strip()).isEqualTo("Penumbra 0.1.0 on Java " + Runtime.version());
        assertThat(penumbra.run("--version", "--json")).isZero();
        assertThat(penumbra.json().get("penumbra").asText()).isEqualTo("0.1.0");
    }

    @Test
    @DisplayName("list shows what there is, for people and for programs; --json stands before or after the command")
    void list() {
        assertThat(penumbra.run("list")).isZero();
        assertThat(penumbra.out().lines()).contains(
                "shadow-2m  org.penumbra.fake 1.2.3  as shadow, on 2 MiB host pages",
                "shadow.roots     3        -        previous roots",
                "fork-heavy   2,500,000  what fork-heavy does",
                "skylake   Intel   2015       4  1 + 1 + 1  1 + 1 1G + 1 code  1 bytes, 1 bytes, 1 bytes  the processor called skylake",
                "pae          896 MiB  4 PDPTE registers, 2 levels of 8-byte entries, pages of 4 KiB and 2 MiB");
        assertThat(penumbra.run("list", "--json")).isZero();
        assertThat(penumbra.json().fieldNames()).toIterable().containsExactly("experiments", "designs", "hardware", "workloads", "paging", "tracepoints");
        assertThat(penumbra.run("--json", "list", "designs")).isZero();
        assertThat(penumbra.json().fieldNames()).toIterable().containsExactly("designs");
        assertThat(penumbra.json().at("/designs")).extracting(d -> d.get("name").asText())
                .containsExactly("native", "ept", "ept-2m", "shadow", "shadow-2m");
        assertThat(penumbra.json().at("/designs/3/settings/0/key").asText()).isEqualTo("shadow.unsync");
    }

    @Test
    @DisplayName("T15 hardware list tells models apart by vendor, year, levels of paging, TLBs and caches")
    void hardwareList() {
        assertThat(penumbra.run("hardware", "list")).isZero();
        assertThat(penumbra.out().lines()).contains(
                "haswell   Intel   2015       4  1 + 1 + 1  1 + 1 1G + 1 code  1 bytes, 1 bytes, 1 bytes  the processor called haswell");
        assertThat(penumbra.run("hardware", "list", "--json")).isZero();
        JsonNode first = penumbra.json().get(0);
        assertThat(first.get("vendor").asText()).isEqualTo("Intel");
        assertThat(first.get("paging_levels").asInt()).isEqualTo(4);
        assertThat(first.get("data_tlb_entries").toString()).isEqualTo("{\"small\":1,\"large\":1,\"huge\":1}");
    }

    @Test
    @DisplayName("T15 hardware show prints every figure with its source, in groups, and says how many are estimates")
    void hardwareShow() {
        assertThat(penumbra.run("hardware", "show", "skylake")).isZero();
        List<String> lines = penumbra.out().lines().toList();
        assertThat(lines).startsWith("skylake: the processor called skylake", "Intel, 2015; 23 figures, 0 of them estimates", "")
                .anyMatch(l -> l.matches("cpu.exit +1,000  cycles  a manual"));
        // groups in the order of their first figures, a blank line between them
        List<String> groups = lines.subList(4, lines.size()).stream().map(l -> l.replaceAll("\\..*", "")).toList();
        assertThat(groups.stream().filter(g -> !g.isEmpty()).distinct()).containsExactly("cpu", "tlb", "walk", "hypervisor");
        assertThat(groups).filteredOn(String::isEmpty).hasSize(3);
        assertThat(penumbra.run("hardware", "show", "skylake", "--json")).isZero();
        assertThat(penumbra.json().at("/figures")).hasSize(Work.values().length);
        assertThat(penumbra.json().at("/origin").asText()).isEqualTo("bundled");
        assertThat(penumbra.json().at("/year").asInt()).isEqualTo(2015);
    }

    @Test
    @DisplayName("T15 hardware show of a name that is none suggests the nearest")
    void hardwareUnknown() {
        assertThat(penumbra.run("hardware", "show", "skylak")).isEqualTo(2);
        assertThat(penumbra.errLines()).containsExactly("penumbra: unknown hardware 'skylak'; did you mean 'skylake'? known: haswell, skylake");
    }

    @Test
    @DisplayName("X03 trace info counts a trace, and names the line of a bad record")
    void traceInfo() throws IOException {
        Path trace = Files.writeString(folder.resolve("a.trace"), "I  04001000,3\n L 04002ffe,8\n S 04002000,8\n M 04001ff0,4\n");
        assertThat(penumbra.run("trace", "info", trace.toString())).isZero();
        assertThat(penumbra.out().lines()).contains("loads                     1   25.00%", "    8       2  50.00%",
                "pages of 4 KiB        3", "those with code       1", "pages of 2 MiB        1", "page crossings        1");
        assertThat(penumbra.run("trace", "info", trace.toString(), "--json")).isZero();
        assertThat(penumbra.json().get("records").asInt()).isEqualTo(4);
        assertThat(penumbra.json().get("pages").asInt()).isEqualTo(3);
        assertThat(penumbra.json().get("large_pages").asInt()).isEqualTo(1);
        assertThat(penumbra.json().get("sizes").toString()).isEqualTo("{\"3\":1,\"4\":1,\"8\":2}");
        Files.writeString(trace, "I  04001000,3\nnonsense\n");
        assertThat(penumbra.run("trace", "info", trace.toString())).isEqualTo(1);
        assertThat(penumbra.errLines()).singleElement().asString().startsWith("penumbra: " + trace + ":2: ");
        assertThat(penumbra.out()).isEmpty();
        assertThat(penumbra.run("trace", "info", folder.resolve("none").toString())).isEqualTo(1);
        assertThat(penumbra.errLines()).singleElement().asString().contains("none").contains("no such file");
    }

    @Test
    @DisplayName("X03 trace convert writes the form that the name says, and trace info reads it whatever it is called")
    void traceConvert() throws IOException {
        Path text = Files.writeString(folder.resolve("a.trace"), "# command: ls\nI  04001000,3\n L 04002ffe,8\n");
        Path binary = folder.resolve("a.ptrace");
        assertThat(penumbra.run("trace", "convert", text.toString(), binary.toString())).isZero();
        assertThat(penumbra.out()).contains("2 records in " + binary + ", Penumbra's binary form");
        Path renamed = Files.move(binary, folder.resolve("b"));
        assertThat(penumbra.run("trace", "info", renamed.toString(), "--json")).isZero();
        assertThat(penumbra.json().get("form").asText()).isEqualTo("binary");
        assertThat(penumbra.json().get("records").asInt()).isEqualTo(2);
        assertThat(penumbra.json().get("comments").toString()).isEqualTo("[\"command: ls\"]");

        assertThat(penumbra.run("trace", "convert", renamed.toString(), text.toString(), "--force", "--json")).isZero();
        assertThat(penumbra.json().get("from").asText()).isEqualTo("binary");
        assertThat(penumbra.json().get("to").asText()).isEqualTo("lackey");
        assertThat(text).hasContent("# command: ls\nI  04001000,3\n L 04002ffe,8\n");
    }

    @Test
    @DisplayName("a command's own options may follow in 'trace record' with and without --")
    void traceRecordArguments() {
        penumbra.run("trace", "record", "--out", "/nowhere/x.xz", "--", "ls", "-l", "--json");
        assertThat(penumbra.err()).doesNotContain("unknown option");
        penumbra.run("trace", "record", "--out", "/nowhere/x.xz", "ls", "-l", "--desing");
        assertThat(penumbra.err()).doesNotContain("unknown option");
    }

    @ParameterizedTest(name = "{0} is {1} bytes")
    @CsvSource({"4096, 4096", "64K, 65536", "256M, 268435456", "1g, 1073741824", "512MiB, 536870912", "2 MB, 2097152", "1T, 1099511627776"})
    void memorySize(String text, long bytes) {
        assertThat(new MemorySize().convert(text.replace(" ", ""))).isEqualTo(bytes);
    }

    @Test
    @DisplayName("NO_COLOR and a dumb terminal mean no colours")
    void noColour() {
        assertThat(Terminal.ofProcess(Map.of()).colour()).isTrue();
        assertThat(Terminal.ofProcess(Map.of("NO_COLOR", "")).colour()).isTrue();
        assertThat(Terminal.ofProcess(Map.of("NO_COLOR", "1")).colour()).isFalse();
        assertThat(Terminal.ofProcess(Map.of("TERM", "dumb")).colour()).isFalse();
    }

    @Test
    @DisplayName("X04 the remaining time is the elapsed time scaled by what is left")
    void remaining() {
        assertThat(StatusLine.remaining(0.5, 30)).isEqualTo("about 30 s left");
        assertThat(StatusLine.remaining(0.25, 30)).isEqualTo("about 1 min 30 s left");
        assertThat(StatusLine.remaining(0.001, 30)).isEmpty();
        assertThat(StatusLine.remaining(0.5, 0.1)).isEmpty();
    }
}
