package org.penumbra.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.observe.TranslationChecker;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PagingState;

class SpecificationCheckerTest {
    private final PhysicalMemory memory = new PhysicalMemory(1 << 20);
    private final TranslationChecker checker = new SpecificationCheckerFactory().create(1, 52, memory, gpa -> gpa, hpa -> hpa);

    @Test
    @DisplayName("counts what it compared; wrong ones are counted, the first ten explained, and never stop the run")
    void counts() {
        for (int level = 0; level < 4; level++) {
            memory.store64(0x1000 + 0x1000L * level, 0x2067 + 0x1000L * level);
        }
        checker.loaded(0, PagingState.longMode(0x1000), false);
        checker.translated(0, 0x10, Access.READ, 0x5010);
        checker.pageFault(0, 0x2000, 4, false);
        memory.store64(0x4000, 0x6067);
        checker.written(0x4000, 8);
        checker.translated(0, 0x10, Access.READ, 0x5010);
        checker.invalidatedPage(0, 0);
        assertThat(checker.complaints()).isEmpty();
        for (int i = 0; i < 12; i++) {
            checker.translated(0, 0x10, Access.READ, 0x5010);
        }
        checker.pageFault(0, 0x10, 5, false);
        assertThat(checker.compared()).isEqualTo(16);
        assertThat(checker.current()).isEqualTo(2);
        assertThat(checker.stale()).isEqualTo(1);
        assertThat(checker.wrong()).isEqualTo(13);
        assertThat(checker.complaints()).hasSize(10).allMatch(c -> c.contains("gva 0x10 used hpa 0x5010"));
    }

    @Test
    @DisplayName("an address that lies nowhere is wrong, and a table that lies nowhere is not present")
    void nowhere() {
        memory.store64(0x1000, 1L << 30 | 0x67);
        checker.loaded(0, PagingState.longMode(0x1000), false);
        checker.translated(0, 0, Access.READ, 1L << 30);
        assertThat(checker.wrong()).isEqualTo(1);
        checker.pageFault(0, 0, 0, false);
        assertThat(checker.wrong()).isEqualTo(1);
    }

    @Test
    @DisplayName("T11 INVPCID reaches the specification: a replaced translation is stale before, wrong after")
    void invpcid() {
        for (int level = 0; level < 4; level++) {
            memory.store64(0x1000 + 0x1000L * level, 0x2067 + 0x1000L * level);
        }
        checker.loaded(0, PagingState.longMode(0x1000), false);
        checker.translated(0, 0x10, Access.READ, 0x5010);
        memory.store64(0x4000, 0x6067);
        checker.written(0x4000, 8);
        checker.invalidatedPcid(0, 0, 0, 0x1000);
        checker.translated(0, 0x10, Access.READ, 0x5010);
        assertThat(checker.stale()).isEqualTo(1);
        checker.invalidatedPcid(0, 0, 0, 0x10);
        checker.translated(0, 0x10, Access.READ, 0x5010);
        assertThat(checker.wrong()).isEqualTo(1);
    }
}
