package org.penumbra.itest;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.osgi.test.common.annotation.InjectService;
import org.penumbra.api.command.CommandLine;

/** {@code penumbra walk} on the machines, designs and processors of the container. */
class WalkTest {
    @InjectService
    CommandLine penumbra;

    private List<String> walk(String options) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        List<String> arguments = Arrays.asList(("walk " + options).split(" "));
        int code = penumbra.run(arguments, new PrintWriter(out), new PrintWriter(err), () -> false);
        assertThat(err.toString()).isEmpty();
        assertThat(code).isZero();
        return out.toString().lines().toList();
    }

    /** References are products of levels: each entry of the guest, and the page, costs a walk of the host's tables. */
    @ParameterizedTest(name = "{0}: {1}")
    @DisplayName("T12 walk shows every reference of a cold walk, and the processor has counted as many")
    @CsvSource(delimiter = '|', value = {
        "--mmu native | 4 references",
        "--mmu native --mode 5level --hardware icelake-server | 5 references",
        "--mmu native --mode pae | 2 references",
        "--mmu native --mode 32bit --page 4M | 1 reference",
        "--mmu shadow | 4 references",
        "--mmu ept | 24 references: 4 guest, 20 host",
        "--mmu ept-2m | 19 references: 4 guest, 15 host",
        "--mmu ept --page 2M | 19 references: 3 guest, 16 host",
        "--mmu ept-2m --page 2M | 15 references: 3 guest, 12 host",
        "--mmu ept --page 1G --access supervisor-write | 14 references: 2 guest, 12 host",
        "--mmu ept --mode 5level --set ept.levels=5 --hardware icelake-server | 35 references: 5 guest, 30 host",
        "--mmu ept --mode pae --access user-fetch | 14 references: 2 guest, 12 host",
        "--mmu ept --mode 32bit | 14 references: 2 guest, 12 host",
        "--mmu ept --mode none | 4 references: 0 guest, 4 host",
    })
    void references(String options, String references) {
        List<String> lines = walk("--gva 0x1234567 " + options);
        String summary = lines.stream().filter(l -> l.matches("\\d+ references?[:;].*")).findFirst().orElseThrow();
        assertThat(summary).startsWith(references + "; the processor counted the same");
        int numbered = Integer.parseInt(references.substring(0, references.indexOf(' ')));
        int cold = lines.indexOf(summary);
        assertThat(lines.get(cold - 2)).as("the translation ends the walk").contains("done: cached as");
        assertThat(lines.subList(0, cold)).anyMatch(l -> l.matches(" *" + numbered + " .*"))
                .noneMatch(l -> l.matches(" *" + (numbered + 1) + " .*0x.*"));
    }

    @ParameterizedTest(name = "{0}")
    @DisplayName("T12 the experiments on walks meet every expected number of references")
    @ValueSource(strings = {"walk-dimensions", "paging-structure-caches"})
    void studies(String study) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        assertThat(penumbra.run(List.of("run", study), new PrintWriter(out), new PrintWriter(err), () -> false)).isZero();
        assertThat(err.toString()).isEmpty();
        assertThat(out.toString().lines().count()).isGreaterThan(10);
    }

    @Test
    @DisplayName("E14 the experiment on tracked sub-pages has an exit for each write to them alone under sub-page write permissions, and for every write else")
    void subPages() {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        assertThat(penumbra.run(List.of("run", "sub-page-tracking"), new PrintWriter(out), new PrintWriter(err), () -> false)).isZero();
        assertThat(err.toString()).isEmpty();
        assertThat(out.toString().lines()).anyMatch(l -> l.matches("ept:sub-page-writes=on +8,192 +256 +256 +256 .*"))
                .anyMatch(l -> l.matches("ept +8,192 +256 +256 +8,192 .*"));
    }

    @Test
    @DisplayName("T12 walk shows what the caches of the processor spare: nested TLB and paging-structure caches, then the first-level TLB")
    void caches() {
        List<String> lines = walk("--gva 0x7f1234567000 --mmu ept-2m --hardware skylake");
        assertThat(lines).anyMatch(l -> l.contains("nested TLB") && l.contains("hit: page at"))
                .anyMatch(l -> l.startsWith("8 references: 4 guest, 4 host;") && l.contains("the caches spare 11 of 19"))
                .anyMatch(l -> l.contains("first-level TLB") && l.endsWith("no walk"))
                .anyMatch(l -> l.contains("PDE cache") && l.endsWith("PML4E, PDPTE, PDE not read"))
                .anyMatch(l -> l.startsWith("1 reference: 1 guest, 0 host;"));
    }

    @Test
    @DisplayName("T12 walk shows the exits of the first access: one for each guest frame that EPT does not map yet")
    void exits() {
        List<String> lines = walk("--gva 0x7f1234567000 --mmu ept");
        assertThat(lines).filteredOn(l -> l.contains("EXIT EPT_VIOLATION at gpa 0x")).hasSize(5)
                .allMatch(l -> l.endsWith("resolved by ept: retry"));
        assertThat(lines).anyMatch(l -> l.startsWith("90 references and 5 exits"));
        assertThat(walk("--gva 0x7f1234567000 --mmu shadow"))
                .anyMatch(l -> l.endsWith("EXIT EXCEPTION_NMI: #PF at 0x7f1234567000 (U), resolved by shadow: retry"))
                .anyMatch(l -> l.startsWith("The guest's own tables"));
    }

    @Test
    @DisplayName("T12 walk --json has every step")
    void json() {
        String json = String.join("\n", walk("--gva 0x7f1234567000 --mmu ept --json"));
        assertThat(json).contains("\"access\" : \"cold\"", "\"references\" : 24", "\"counted_host_references\" : 20", "\"cache\" : \"first_level_tlb\"",
                "\"reason\" : \"EPT_VIOLATION\"", "\"name\" : \"EPT PML4E\"");
    }
}
