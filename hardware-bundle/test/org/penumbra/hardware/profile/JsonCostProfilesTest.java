package org.penumbra.hardware.profile;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.clock.Work;

class JsonCostProfilesTest {
    private static final Path PROFILES = Path.of("resources/profiles");

    @TempDir Path folder;

    private final JsonCostProfiles profiles = new JsonCostProfiles();

    @Test
    @DisplayName("T15 every file in resources/profiles is offered, under its own name, sorted")
    void bundled() throws IOException {
        List<String> files;
        try (Stream<Path> list = Files.list(PROFILES)) {
            files = list.map(p -> p.getFileName().toString().replace(".json", "")).sorted().toList();
        }
        assertThat(profiles.all()).extracting(CostProfile::name).isEqualTo(files);
    }

    @Test
    @DisplayName("T15 every figure has a source; every kind of work has a price, and only retiring may be as cheap as a cycle")
    void figures() {
        for (CostProfile p : profiles.all()) {
            new CycleClock(p);
            assertThat(p.figures()).allSatisfy(f -> assertThat(f.source()).hasSizeGreaterThan(15));
            for (Work w : Work.values()) {
                assertThat(p.figure(w.key())).as("%s %s", p.name(), w).isPositive();
            }
        }
    }

    @Test
    @DisplayName("T15 Skylake's TLBs: Optimization Reference Manual, TLB Parameters of the Skylake Client Microarchitecture")
    void skylake() {
        CostProfile p = profiles.all().get(1);
        assertThat(p.name()).isEqualTo("skylake");
        assertThat(p.figure("tlb.data.small.entries")).isEqualTo(64);
        assertThat(p.figure("tlb.second-level.entries")).isEqualTo(1536);
        assertThat(p.figure("tlb.second-level.ways")).isEqualTo(12);
        assertThatThrownBy(() -> p.figure("tlb.third-level.ways")).hasMessage("hardware profile skylake has no figure \"tlb.third-level.ways\"");
    }

    @Test
    @DisplayName("T15 a user's file is read like a bundled one")
    void ownFile() throws IOException {
        Path file = edited("\"name\": \"skylake\"", "\"name\": \"mine\"");
        assertThat(profiles.read(file).name()).isEqualTo("mine");
        assertThat(profiles.read(file).figures()).isEqualTo(profiles.all().get(1).figures());
    }

    /** Quotes are written as ' here. */
    @ParameterizedTest(name = "T15 {0} → {1}: {2}")
    @CsvSource(quoteCharacter = '`', delimiter = '|', textBlock = """
            'walk.update' | 'walk.updates' | unknown figure "walk.updates": did you mean "walk.update"?
            'vmx.exit' | 'vmx.exits' | unknown figure "vmx.exits": did you mean "vmx.exit"?
            {'key': 'vmx.exit', | {'key': 'walk.update', | figure "walk.update" is there twice: give it once
            'value': 1300 | 'value': -1 | figure "vmx.exit" is -1: 0 or more is needed
            'value': 1300 | 'value': 13.5 | figure "vmx.exit" needs an integer "value", not 13.5
            'value': 1300 | 'value': '1300' | figure "vmx.exit" needs an integer "value", not "1300"
            'value': 1300 | 'cost': 1300 | figure "vmx.exit" has an unknown field "cost": known are [key, source, unit, value]
            'value': 1300 | 'value': 1300, 'note': 'x' | figure "vmx.exit" has an unknown field "note": known are [key, source, unit, value]
            'value': 46, 'unit': 'bits' | 'value': 46, 'unit': 'bytes' | figure "cpu.maxphyaddr" is in "bytes": its unit is "bits"
            'value': 46, 'unit': 'bits' | 'value': 60, 'unit': 'bits' | figure "cpu.maxphyaddr" is 60: 32 to 52 is needed
            'value': 1536 | 'value': 1537 | figure "tlb.second-level.ways" is 12: a divisor of the 1537 entries is needed
            'value': 1536 | 'value': 0 | figure "tlb.second-level.entries" is 0: 1 to 1048576 is needed
            'name': 'skylake' | 'name': 'Sky Lake' | name "Sky Lake": small letters, digits, dots and dashes are allowed
            'name': 'skylake' | 'nome': 'skylake' | profile has an unknown field "nome": known are [description, figures, name]
            'figures': [ | 'figures': 5, 'x': [ | profile has an unknown field "x": known are [description, figures, name]
            """)
    void badFigures(String from, String to, String message) throws IOException {
        Path file = edited(from.replace('\'', '"'), to.replace('\'', '"'));
        assertThatThrownBy(() -> profiles.read(file)).isInstanceOf(IllegalArgumentException.class).hasMessage(file + ": " + message);
    }

    @Test
    @DisplayName("T15 a figure that is missing is named with its unit")
    void missing() throws IOException {
        Path file = folder.resolve("m.json");
        Files.write(file, Files.readAllLines(PROFILES.resolve("skylake.json")).stream().filter(l -> !l.contains("walk.update")).toList());
        assertThatThrownBy(() -> profiles.read(file))
                .hasMessage(file + ": figure \"walk.update\" is missing: a value in cycles and its source are needed");
    }

    @Test
    @DisplayName("T15 what is no JSON, and a file that is not there, are said in one line with the place")
    void noJson() throws IOException {
        Path file = folder.resolve("n.json");
        Files.writeString(file, "{\n  \"name\": oops\n}");
        assertThatThrownBy(() -> profiles.read(file)).hasMessageStartingWith(file + " at line 2: no JSON document: ").message().hasLineCount(1);
        Files.writeString(file, "");
        assertThatThrownBy(() -> profiles.read(file)).hasMessage(file + ": profile must be a JSON object");
        Path none = folder.resolve("none.json");
        assertThatThrownBy(() -> profiles.read(none)).hasMessage(none + ": cannot be read (NoSuchFileException): a hardware profile is needed");
        Path twice = edited("\"name\": \"skylake\"", "\"name\": \"skylake\", \"name\": \"skylake\"");
        assertThatThrownBy(() -> profiles.read(twice)).hasMessageContaining("Duplicate field 'name'").message().hasLineCount(1);
    }

    private Path edited(String from, String to) throws IOException {
        String text = Files.readString(PROFILES.resolve("skylake.json"));
        assertThat(text).contains(from);
        Path file = folder.resolve("edited.json");
        Files.writeString(file, text.replaceFirst(java.util.regex.Pattern.quote(from), java.util.regex.Matcher.quoteReplacement(to)));
        return file;
    }
}
