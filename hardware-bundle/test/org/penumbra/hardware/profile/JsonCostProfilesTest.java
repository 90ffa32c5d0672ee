package org.penumbra.hardware.profile;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.clock.CostProfile.Figure;
import org.penumbra.api.clock.CostProfile.Vendor;
import org.penumbra.api.clock.CostProfiles;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.clock.Work;

class JsonCostProfilesTest {
    private static final Path PROFILES = Path.of("resources/profiles");

    @TempDir Path folder;

    private final JsonCostProfiles profiles = new JsonCostProfiles();
    private final CostProfile skylake = profile("skylake");

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
    void skylakeTlbs() {
        CostProfile p = skylake;
        assertThat(p.figure("tlb.data.small.entries")).isEqualTo(64);
        assertThat(p.figure("tlb.second-level.entries")).isEqualTo(1536);
        assertThat(p.figure("tlb.second-level.ways")).isEqualTo(12);
        assertThatThrownBy(() -> p.figure("tlb.third-level.ways")).hasMessage("hardware profile skylake has no figure \"tlb.third-level.ways\"");
    }

    @Test
    @DisplayName("T15 two generations of Intel and two of AMD at least")
    void vendors() {
        for (Vendor vendor : Vendor.values()) {
            assertThat(profiles.all()).filteredOn(p -> p.vendor() == vendor).extracting(CostProfile::year).doesNotHaveDuplicates()
                    .hasSizeGreaterThanOrEqualTo(2);
        }
    }

    @Test
    @DisplayName("T09 1 GiB pages have first-level entries where the silicon has them; the second level holds them, has them apart, or has none")
    void hugePages() {
        assertThat(skylake.figure("tlb.data.huge.entries")).isEqualTo(4);
        assertThat(skylake.figure("tlb.second-level-huge.entries")).isEqualTo(16);
        assertThat(profile("icelake-server").figure("tlb.second-level.huge")).isEqualTo(1);
        assertThat(profile("haswell").figure("tlb.second-level.huge") + profile("haswell").figure("tlb.second-level-huge.entries")).isZero();
    }

    @Test
    @DisplayName("T09 sizes that are no powers of two are taken as they are")
    void anySize() {
        CostProfile odd = profiles.with(skylake, Map.of("tlb.second-level.entries", 1530L, "tlb.second-level.ways", 10L,
                "data-cache.llc.bytes", 3 * 11 * 64L, "data-cache.llc.ways", 11L));
        assertThat(odd.figure("tlb.second-level.entries")).isEqualTo(1530);
        assertThat(odd.figure("data-cache.llc.bytes")).isEqualTo(2112);
    }

    @Test
    @DisplayName("T10 PML5E caches are of processors with 57-bit linear addresses; which level is looked up first is a figure")
    void structureCaches() {
        for (CostProfile p : profiles.all()) {
            boolean five = p.figure("cpu.linear-address-bits") == 57;
            assertThat(p.figure("paging-structure-cache.pml5e.entries") > 0).as(p.name()).isEqualTo(five);
        }
        assertThat(profiles.all()).extracting(p -> p.figure("paging-structure-cache.from-root")).contains(0L, 1L);
    }

    @Test
    @DisplayName("T15 a user's change has its own source, keeps the unit, and leaves the profile that it is made from as it was")
    void changed() {
        CostProfile flat = profiles.with(skylake, Map.of("data-cache.model", 0L));
        assertThat(flat.figure("data-cache.model")).isZero();
        assertThat(skylake.figure("data-cache.model")).isEqualTo(1);
        assertThat(flat.name()).isEqualTo("skylake");
        assertThat(flat.figures()).filteredOn(f -> f.source().equals(CostProfiles.SET_BY_USER))
                .containsExactly(new Figure("data-cache.model", 0, "flag", CostProfiles.SET_BY_USER));
        assertThat(flat.figures()).extracting(Figure::key).isEqualTo(skylake.figures().stream().map(Figure::key).toList());
    }

    /** Key, value and message. */
    @ParameterizedTest(name = "T15 {0} = {1}: {2}")
    @CsvSource(quoteCharacter = '`', delimiter = '|', textBlock = """
            data-cache.modle | 0 | unknown figure "data-cache.modle": did you mean "data-cache.model"?
            data-cache.model | 3 | figure "data-cache.model" is 3: 1 (yes) or 0 (no) is needed
            tlb.second-level.ways | 7 | figure "tlb.second-level.ways" is 7: a divisor of the 1536 entries is needed
            walk.update | -1 | figure "walk.update" is -1: 0 to 1000000000 is needed
            tlb.second-level.huge | 1 | figure "tlb.second-level.huge" is 1: 0 is needed with tlb.second-level-huge.entries, 1 GiB pages being held there
            """)
    void badChange(String key, long value, String message) {
        assertThatThrownBy(() -> profiles.with(skylake, Map.of(key, value))).isInstanceOf(IllegalArgumentException.class).hasMessage(message);
    }

    @Test
    @DisplayName("T15 a file that is far too long is refused before it is read")
    void endless() throws IOException {
        Path file = folder.resolve("long.json");
        Files.writeString(file, "{\"name\": \"" + "x".repeat(1 << 20) + "\"}");
        assertThatThrownBy(() -> profiles.read(file)).hasMessage(file + ": more than 1048576 bytes: no hardware profile is so long");
    }

    @Test
    @DisplayName("T15 a user's file is read like a bundled one")
    void ownFile() throws IOException {
        Path file = edited("\"name\": \"skylake\"", "\"name\": \"mine\"");
        assertThat(profiles.read(file).name()).isEqualTo("mine");
        assertThat(profiles.read(file).figures()).isEqualTo(skylake.figures());
    }

    /** Quotes are written as ' here. */
    @ParameterizedTest(name = "T15 {0} → {1}: {2}")
    @CsvSource(quoteCharacter = '`', delimiter = '|', textBlock = """
            'walk.update' | 'walk.updates' | unknown figure "walk.updates": did you mean "walk.update"?
            'cpu.exit' | 'cpu.exits' | unknown figure "cpu.exits": did you mean "cpu.exit"?
            {'key': 'cpu.exit', | {'key': 'walk.update', | figure "walk.update" is there twice: give it once
            'value': 1300 | 'value': -1 | figure "cpu.exit" is -1: 0 to 1000000000 is needed
            'value': 1300 | 'value': 13.5 | figure "cpu.exit" needs an integer "value", not 13.5
            'value': 1300 | 'value': '1300' | figure "cpu.exit" needs an integer "value", not "1300"
            'value': 1300 | 'cost': 1300 | figure "cpu.exit" has an unknown field "cost": known are [key, source, unit, value]
            'value': 1300 | 'value': 1300, 'note': 'x' | figure "cpu.exit" has an unknown field "note": known are [key, source, unit, value]
            'value': 46, 'unit': 'bits' | 'value': 46, 'unit': 'bytes' | figure "cpu.maxphyaddr" is in "bytes": its unit is "bits"
            'value': 46, 'unit': 'bits' | 'value': 60, 'unit': 'bits' | figure "cpu.maxphyaddr" is 60: 32 to 52 is needed
            'value': 1536 | 'value': 1537 | figure "tlb.second-level.ways" is 12: a divisor of the 1537 entries is needed
            'value': 48, 'unit': 'bits' | 'value': 52, 'unit': 'bits' | figure "cpu.linear-address-bits" is 52: 48 (4-level paging) or 57 (5-level paging as well) is needed
            'value': 1, 'unit': 'flag' | 'value': 2, 'unit': 'flag' | figure "tlb.model" is 2: 1 (yes) or 0 (no) is needed
            'value': 32768 | 'value': 32700 | figure "data-cache.l1.bytes" is 32700: a multiple of 64, the bytes of a line, is needed
            'value': 32768 | 'value': 32832 | figure "data-cache.l1.ways" is 8: a divisor of the 513 lines is needed
            'value': 2097152 | 'value': 4398046511104 | figure "data-cache.llc.bytes" is 4398046511104: 64 to 1073741824 is needed
            'value': 1536 | 'value': 1099511627776 | figure "tlb.second-level.entries" is 1099511627776: 1 to 1048576 is needed
            'vendor': 'Intel' | 'vendor': 'Via' | vendor "Via": Intel or AMD is needed
            'year': 2015 | 'year': 15 | profile needs the "year" in which the processor came out, not 15
            'value': 1536 | 'value': 0 | figure "tlb.second-level.entries" is 0: 1 to 1048576 is needed
            'name': 'skylake' | 'name': 'Sky Lake' | name "Sky Lake": small letters, digits, dots and dashes are allowed
            'name': 'skylake' | 'nome': 'skylake' | profile has an unknown field "nome": known are [description, figures, name, vendor, year]
            'figures': [ | 'figures': 5, 'x': [ | profile has an unknown field "x": known are [description, figures, name, vendor, year]
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

    private CostProfile profile(String name) {
        return profiles.all().stream().filter(p -> p.name().equals(name)).findFirst().orElseThrow();
    }

    private Path edited(String from, String to) throws IOException {
        String text = Files.readString(PROFILES.resolve("skylake.json"));
        assertThat(text).contains(from);
        Path file = folder.resolve("edited.json");
        Files.writeString(file, text.replaceFirst(java.util.regex.Pattern.quote(from), java.util.regex.Matcher.quoteReplacement(to)));
        return file;
    }
}
