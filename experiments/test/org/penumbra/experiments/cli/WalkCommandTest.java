package org.penumbra.experiments.cli;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class WalkCommandTest {
    private final CommandLineFixture penumbra = new CommandLineFixture();

    @ParameterizedTest(name = "T12 {0}")
    @DisplayName("T12 walk refuses what cannot be walked with one line that says what would be right")
    @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
        "walk | missing required option: '--gva=ADDRESS' (see 'penumbra walk --help')",
        "walk --gva 0xzz | --gva: '0xzz' is no address of 64 bits; write for example 0x7f1234567000",
        "walk --gva 0x10000000000000000 | --gva: '0x10000000000000000' is no address of 64 bits; write for example 0x7f1234567000",
        "walk --gva 0x800000000000 | --gva: 0x800000000000 is not canonical under mode '4level'; bits 63:48 are copies of bit 47, so write up to "
                + "0x7fffffffffff, or 0xffff800000000000 and above",
        "walk --gva 0x100000000 --mode pae | --gva: 0x100000000 has more than 32 bits, and mode 'pae' has addresses up to 0xffffffff",
        "walk --gva 0x4000000 --mode none | --gva: 0x4000000 lies outside what is mapped; without paging that is the guest's memory, "
                + "0 to 0x3ffffff",
        "walk --gva 0 --mode 5level | --mode 5level: processor 'skylake' has no 5-level paging; choose --hardware FILE.json of one that has",
        "walk --gva 0 --mode 4-level | --mode: unknown paging mode '4-level'; did you mean '4level'? known: none, 32bit, pae, 4level, 5level",
        "walk --gva 0 --page 2M --mode 32bit | --page: mode '32bit' has no pages of 2M; it has 4K, 4M",
        "walk --gva 0 --page 4M | --page: mode '4level' has no pages of 4M; it has 4K, 2M, 1G",
        "walk --gva 0 --page 8K | --page: unknown page size '8K'; did you mean '4K'? known: 4K, 2M, 4M, 1G",
        "walk --gva 0 --access read | --access: unknown kind of access 'read'; known: user-read, supervisor-read, user-write, "
                + "supervisor-write, user-fetch, supervisor-fetch",
        "walk --gva 0 --mmu shadw | unknown design 'shadw'; did you mean 'shadow'? known: native, ept, ept-2m, shadow, shadow-2m",
        "walk --gva 0 --figure tlb.model=0 | tlb.model is 0: walk shows what TLBs and walks do or cost, which a functional TLB does not measure",
        "walk --gva 0 --hardware skylke | unknown hardware 'skylke'; did you mean 'skylake'? known: haswell, skylake",
        "walk --gva 0 --set shadow.unsync=off | setting 'shadow.unsync' belongs to design 'shadow', which is not run; add it to --mmu",
    })
    void refused(String arguments, String message) {
        assertThat(penumbra.run(arguments.split(" "))).isEqualTo(2);
        assertThat(penumbra.errLines()).containsExactly("penumbra: " + message);
        assertThat(penumbra.out()).isEmpty();
    }
}
