package org.penumbra.shell;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CompletionTest {
    private final ShellFixture shell = new ShellFixture();

    @AfterEach
    void close() {
        shell.close();
    }

    /** In a line ~ stands for a pipe, and _ for nothing: where it ends after a space. */
    @ParameterizedTest(name = "{0}")
    @DisplayName("P08 Tab completes commands, and arguments by what the command asks for at that place")
    @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
        "cou | counters", "sw | swap swaps", "counters ~ gr | grep", "each (mach | machines", "x = (des | designs",
        "swap _ | 7", "swap 7 e | ept", "swap 7 shadow _ | shadow.unsync=off shadow.unsync=on", "swap 7 ept e | ept.roots=",
        "swap 7 shadow shadow.unsync=o | shadow.unsync=off shadow.unsync=on", "swap 7 shadow shadow.unsync=on shadow | shadow.unsync=off shadow.unsync=on",
        "engine 7 _ | steps", "controller 7 x | x2apic", "stop sh | shadow", "stop org.example.v | org.example.vmx", "help au | audit",
        "machines - | --wait -w", "machines -w | -w", "designs _ |", "nonsense x |", "echo a; audit _ | 7"})
    void completes(String line, String expected) {
        shell.machine(7, "shadow");
        assertThat(shell.complete(line.replace('~', '|').replace("_", ""))).isEqualTo(expected == null ? List.of() : List.of(expected.split(" ")));
    }
}
