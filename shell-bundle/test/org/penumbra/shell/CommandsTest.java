package org.penumbra.shell;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CommandsTest {
    private final ShellFixture shell = new ShellFixture();

    @AfterEach
    void close() {
        shell.close();
    }

    @Test
    @DisplayName("P08 designs and machines are tables, a swap is a report, counters are lines")
    void readable() {
        shell.machine(1, "shadow");
        assertThat(shell.lines("designs")).containsExactly(
                "Name    Dimensions  Bundle  Symbolic name       Version  Description",
                "ept              2       2  org.example.ept     1.0.0    what ept does",
                "shadow           1       1  org.example.shadow  1.0.0    what shadow does");
        assertThat(shell.lines("machines")).containsExactly(
                "Id  Design  State    Bundle                    Vcpus  Operations  Swaps",
                " 1  shadow  running  org.example.shadow 1.0.0      2   1,234,567      2");
        assertThat(shell.lines("vms")).isEqualTo(shell.lines("machines"));
        assertThat(shell.lines("counters")).containsExactly("exits          2", "pf_taken  12,345");
        assertThat(shell.lines("exits 1")).containsExactly(
                "Reason         Samples  Cycles    Min    Max  Average", "EPT_VIOLATION        2   4,000  1,000  3,000    2,000");
        assertThat(shell.lines("swap 1 ept ept.roots=5")).contains("From            shadow (org.example.shadow 1.0.0)",
                "Pause nanos     3,000", "Drained         6");
        assertThat(shell.lines("swaps")).hasSize(3).last().asString().startsWith("asked for  ept     shadow");
        assertThat(shell.lines("audit")).containsExactly("machine 1 under shadow: no violations", "  misconduct: ept: law 4");
        assertThat(shell.lines("controllers")).last().asString().startsWith("x2apic");
        shell.lines("engine 1 steps; controller 1 x2apic");
        assertThat(shell.calls).containsExactly("swap 1 ept {ept.roots=5}", "engine 1 steps", "swapController x2apic");
    }

    @Test
    @DisplayName("P08 what commands return pipes: to grep as text, to other commands and to each as objects")
    void pipes() {
        shell.machine(1, "shadow");
        shell.machine(2, "ept");
        assertThat(shell.lines("machines | grep shadow")).hasSize(1).first().asString().contains("shadow");
        assertThat(shell.lines("(counters 1) get pf_taken")).containsExactly("12345");
        assertThat(shell.lines("each (machines) { echo ($it design) on ($it vcpus) }")).containsExactly("shadow on 2", "ept on 2");
        assertThat(shell.lines("each (machines) { audit ($it id) }")).contains("machine 2 under ept: no violations");
        assertThat(shell.lines("r = (swap 2 ept); $r cycles")).last().isEqualTo("700");
        assertThat(shell.lines("((designs) get 0) name")).containsExactly("ept");
    }

    @Test
    @DisplayName("P08 a script runs to its first command that fails, and the message says where; exit gives the code")
    void scripts() {
        assertThat(shell.run("demo", "# a comment\n\ndesigns | grep ept\neach (designs) {\n  echo ($it name)\n}\ndesgns\necho never\n"))
                .isEqualTo(1);
        assertThat(shell.out().lines()).hasSize(3).contains("ept", "shadow").doesNotContain("never");
        assertThat(shell.err()).isEqualToIgnoringNewLines(
                "penumbra: demo:7: unknown command 'desgns'; did you mean 'designs'? 'help' lists all");
        assertThat(shell.run("demo", "exit 7; echo never")).isEqualTo(7);
        assertThat(shell.out() + shell.err()).isEmpty();
        assertThat(shell.run("demo", "echo before; exit")).isZero();
        assertThat(shell.run("demo", "")).isZero();
    }

    @ParameterizedTest(name = "{0}")
    @DisplayName("P08 bad input gets one line: what, where, what would be right")
    @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
        "swap 3 ept | unknown machine '3'; known: 1, 2",
        "counters | there are several machines; say which: 1, 2",
        "counters 1 2 | counters takes one machine at most, not 2",
        "swap 1 epd | unknown design 'epd'; did you mean 'ept'? known: ept, shadow",
        "swap 1 shadow shadow.unsnc=off | unknown setting of shadow 'shadow.unsnc'; did you mean 'shadow.unsync'? known: shadow.unsync",
        "swap 1 shadow shadow.unsync=of | unknown value of shadow.unsync 'of'; did you mean 'off'? known: on, off",
        "swap 1 shadow unsync | 'unsync' is no setting; KEY=VALUE is, for example shadow.unsync=…",
        "swap 1 shadow | the gate did not close within 5 s:; vCPU 0 works",
        "swap 1 | these arguments do not fit; usage: swap ID DESIGN [KEY=VALUE...]",
        "snapshot 3 file | unknown machine '3'; known: 1, 2",
        "snapshot 1 | these arguments do not fit; usage: snapshot ID FILE",
        "engine 1 step | unknown engine 'step'; did you mean 'steps'? known: steps",
        "controller 1 apic | unknown controller 'apic'; did you mean 'x2apic'? known: x2apic",
        "stop shdow | unknown bundle 'shdow'; did you mean 'shadow'? 'bundles' lists them; a number, a symbolic name or a design will do",
        "stop 0 | bundle 0 is the container itself; 'exit' leaves",
        "install nothing.jar | ",
        "machines -w soon | 'soon' is no number of seconds; 0.5 or 10 would be",
        "wait 1 | no job was started yet; 'run EXPERIMENT' starts one",
        "wait | wait takes one job; usage: wait JOB",
        "run | say what to run, for example: run shadow-vs-ept --workload fork-heavy",
        "each (machines { | ",
        "help swp | unknown command 'swp'; did you mean 'swap'? 'help' lists all",
        "exit soon | exit takes a number from 0 to 255 at most"})
    void refused(String command, String message) {
        shell.machine(1, "shadow");
        shell.machine(2, "ept");
        String refusal = shell.refusal(command);
        if (message != null) {
            assertThat(refusal).isEqualTo(message);
        }
    }

    @Test
    @DisplayName("P08 without a hypervisor or a machine commands say what is missing")
    void nothing() {
        assertThat(shell.lines("machines")).isEmpty();
        assertThat(shell.refusal("counters")).startsWith("no virtual machine exists now; 'run EXPERIMENT' starts some");
        assertThat(shell.refusal("machines -w 0.02")).startsWith("no virtual machine appeared within 0.02 seconds");
    }

    @Test
    @DisplayName("P08 the bundle of a design is stopped and started by the name of the design")
    void bundles() {
        assertThat(shell.lines("stop ept")).contains("State    stopped", "Designs  -");
        assertThat(shell.lines("designs")).hasSize(2);
        assertThat(shell.lines("start ept")).contains("State    active", "Designs  ept");
        shell.lines("stop 1; start org.example.shadow; update shadow; uninstall shadow");
        assertThat(shell.framework.log).containsExactly("stop org.example.ept", "start org.example.ept", "stop org.example.shadow",
                "start org.example.shadow", "update org.example.shadow", "uninstall org.example.shadow");
    }

    @Test
    @DisplayName("P08 help lists every command with its purpose, and --help and help explain one")
    void help() {
        assertThat(shell.lines("help")).anyMatch(l -> l.matches("swap ID DESIGN \\[KEY=VALUE...] +replaces the design .*"))
                .anyMatch(l -> l.startsWith("wait JOB ")).anyMatch(l -> l.startsWith("machines [-w SECONDS] "));
        assertThat(shell.lines("swap --help")).isEqualTo(shell.lines("help swap")).containsExactly(
                "usage: swap ID DESIGN [KEY=VALUE...]", "replaces the design under a running guest", "  ID         the machine's number",
                "  DESIGN     the design that takes over", "  KEY=VALUE  settings of the design that differ from their defaults");
        assertThat(shell.lines("help wait")).first().isEqualTo("usage: wait JOB");
    }
}
